/** What waypoints are told, over real streams: by whom they are known, what reaches them, and that nobody else is told. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  apiVersionOf,
  type CustomObject,
  DESTINATION_RULES,
  GATEWAY_CLASSES,
  GATEWAYS,
  HTTP_ROUTES,
  type KubernetesClient,
  RATE_LIMIT_POLICIES,
  REQUEST_AUTHENTICATIONS,
  type ResourceType,
  SECRETS,
  SERVICES,
  TELEMETRIES,
  VIRTUAL_SERVICES,
} from "@meltemi/kubernetes";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import {
  createWaypointXdsClient,
  type RejectedResource,
  SERVED_SERVICE_TYPE_URL,
  type WaypointXdsUpdate,
  type XdsClient,
} from "@meltemi/xds";
import {
  createRunningPod,
  createToken,
  ensureNamespace,
  quietLogger,
  startCluster,
  startControlPlane,
  type TestCluster,
  type TestControlPlane,
} from "./control-plane.fixture.ts";

interface WaypointPeer extends AsyncDisposable {
  readonly client: XdsClient;
  readonly updates: WaypointXdsUpdate[];
  /** `<kind>:<name>` → value. */
  readonly held: Map<string, unknown>;
  readonly ends: string[];
}

function follow(plane: TestControlPlane, pod: string, token: string): WaypointPeer {
  const updates: WaypointXdsUpdate[] = [];
  const held = new Map<string, unknown>();
  const ends: string[] = [];
  const client = createWaypointXdsClient(
    {
      address: `https://127.0.0.1:${plane.securePort}`,
      alternateHostname: "istiod.istio-system.svc",
      node: {
        id: `waypoint~10.0.0.9~${pod}.shop~shop.svc.cluster.local`,
        metadata: { NAME: pod, NAMESPACE: "shop" },
      },
      clusterId: "Kubernetes",
    },
    {
      clock: systemClock,
      logger: quietLogger(),
      random: Math.random,
      rootCertificates: () => Promise.resolve(plane.rootPem),
      token: () => Promise.resolve(token),
      onUpdate(update): readonly RejectedResource[] {
        updates.push(update);
        for (const { name, value } of update.upserts) held.set(`${update.kind}:${name}`, value);
        for (const name of update.removedNames) held.delete(`${update.kind}:${name}`);
        return [];
      },
      metrics: { message: () => undefined, terminated: (reason) => ends.push(reason) },
    },
  );
  client.start();
  return { client, updates, held, ends, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

function custom(type: ResourceType, name: string, spec: object): CustomObject {
  return { apiVersion: apiVersionOf(type), kind: type.kind, metadata: { namespace: "shop", name }, spec };
}

const REVIEWS = "shop/reviews.shop.svc.cluster.local";
const RATINGS = "shop/ratings.shop.svc.cluster.local";

describe("waypoints", () => {
  let cluster: TestCluster;
  let plane: TestControlPlane;
  let api: KubernetesClient;

  const podToken = async (pod: string, uid: string): Promise<string> => {
    const { token } = await api.createToken(
      { namespace: "shop", name: "default" },
      { audiences: ["istio-ca"], boundTo: { kind: "Pod", name: pod, uid } },
    );
    return token;
  };
  const runPod = async (name: string, ip: string, labels: Record<string, string>): Promise<string> => {
    const pod = await createRunningPod(api, { namespace: "shop", name, ip, labels });
    return await podToken(name, pod.metadata?.uid ?? "");
  };

  before(async () => {
    cluster = await startCluster();
    api = cluster.client;
    plane = await startControlPlane(cluster);
    await ensureNamespace(api, "shop");
    await api.create(GATEWAY_CLASSES, {
      metadata: { name: "istio-waypoint" },
      spec: { controllerName: "istio.io/mesh-controller" },
    });
    for (const name of ["one", "two"])
      await api.create(GATEWAYS, {
        metadata: { namespace: "shop", name },
        spec: {
          gatewayClassName: "istio-waypoint",
          listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
        },
      });
    for (const [name, waypoint] of [
      ["reviews", "one"],
      ["ratings", "two"],
    ] as const)
      await api.create(SERVICES, {
        metadata: { namespace: "shop", name, labels: { "istio.io/use-waypoint": waypoint } },
        spec: { clusterIP: "None", ports: [{ name: "http", port: 80 }] },
      });
  });
  after(async () => {
    await plane[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  test("each is told what it serves, its settings and all labels; a changed route is one resource", async () => {
    const labels = { "gateway.networking.k8s.io/gateway-name": "one" };
    const token = await runPod("one-abc", "10.1.0.1", labels);
    await using peer = follow(plane, "one-abc", token);
    await peer.client.synced;
    await eventually(() => peer.held.has(`servedService:${REVIEWS}`));
    assert.ok(!peer.held.has(`servedService:${RATINGS}`));
    const settings = [...peer.held.keys()].filter((key) => key.startsWith("waypointSettings:"));
    assert.deepEqual(settings, ["waypointSettings:shop/one"]);
    assert.equal((peer.held.get("waypointSettings:shop/one") as WaypointSettings).trafficType, "service");
    assert.ok(peer.held.has("workloadLabels:Kubernetes//Pod/shop/one-abc"));
    assert.ok(peer.held.has(`address:${RATINGS}`));

    const before = peer.updates.length;
    await api.create(
      HTTP_ROUTES,
      custom(HTTP_ROUTES, "reviews", {
        parentRefs: [{ group: "", kind: "Service", name: "reviews", port: 80 }],
        rules: [{ backendRefs: [{ group: "", kind: "Service", name: "gone", port: 80 }] }],
      }),
    );
    const served = (): ServedService => peer.held.get(`servedService:${REVIEWS}`) as ServedService;
    await eventually(() => served().ports[0]?.httpRoutes.length === 1);
    assert.deepEqual(
      peer.updates.slice(before).map(({ kind, upserts }) => [kind, upserts.length]),
      [["servedService", 1]],
    );
    await api.delete(HTTP_ROUTES, { namespace: "shop", name: "reviews" });
    await eventually(() => served().ports[0]?.httpRoutes.length === 0);
  });

  test("a service that moves to another waypoint is withdrawn from the first", async () => {
    const two = await runPod("two-abc", "10.1.0.2", { "gateway.networking.k8s.io/gateway-name": "two" });
    await using peer = follow(plane, "two-abc", two);
    await eventually(() => peer.held.has(`servedService:${RATINGS}`));
    const label = (waypoint: string): object => ({
      metadata: { labels: { "istio.io/use-waypoint": waypoint } },
    });
    const ratings = { namespace: "shop", name: "ratings" };
    await api.patch(SERVICES, ratings, { kind: "merge", body: label("one") });
    await eventually(() => !peer.held.has(`servedService:${RATINGS}`));
    await api.patch(SERVICES, ratings, { kind: "merge", body: label("two") });
    await eventually(() => peer.held.has(`servedService:${RATINGS}`));
  });

  const strangers: readonly { readonly name: string; readonly labels: Record<string, string> }[] = [
    { name: "app-abc", labels: { app: "a" } },
    { name: "ztunnel-abc", labels: { app: "ztunnel" } },
  ];
  for (const { name, labels } of strangers)
    test(`${name} is told nothing of waypoints`, async () => {
      const token = await runPod(name, "10.1.0.3", labels);
      await using peer = follow(plane, name, token);
      await eventually(() => peer.ends.length > 0);
      assert.equal(peer.client.heldCount(SERVED_SERVICE_TYPE_URL), 0);
      assert.ok([...peer.held.keys()].every((key) => /^(?:address|authorization):/.test(key)));
    });

  test("a token of no pod is told nothing of waypoints, whatever node it names", async () => {
    const token = await createToken(api, "shop", "waypoint");
    await using peer = follow(plane, "one-abc", token);
    await eventually(() => peer.ends.length > 0);
    assert.equal(peer.client.heldCount(SERVED_SERVICE_TYPE_URL), 0);
  });

  test("a Secret that a rule names is read, and reaches the waypoint of its namespace", async () => {
    const labels = { "gateway.networking.k8s.io/gateway-name": "one" };
    const token = await runPod("one-def", "10.1.0.4", labels);
    await using peer = follow(plane, "one-def", token);
    const served = (): ServedService | undefined =>
      peer.held.get(`servedService:${REVIEWS}`) as ServedService | undefined;
    const type: ResourceType<CustomObject> = {
      group: "networking.istio.io",
      version: "v1",
      plural: "destinationrules",
      kind: "DestinationRule",
      namespaced: true,
    };
    const tls = { mode: "SIMPLE", credentialName: "upstream" };
    await api.create(type, custom(type, "reviews", { host: "reviews", trafficPolicy: { tls } }));
    await eventually(() => served()?.ports[0]?.httpRoutes[0]?.name === "default");
    const data = { "ca.crt": Buffer.from("-----BEGIN CERTIFICATE-----").toString("base64") };
    await api.create(SECRETS, { metadata: { namespace: "shop", name: "upstream" }, data });
    await eventually(() => served()?.clusters[0]?.tls?.caCertificates === "-----BEGIN CERTIFICATE-----");
    assert.deepEqual(served()?.ports[0]?.httpRoutes, []);
    await api.delete(type, { namespace: "shop", name: "reviews" });
    await eventually(() => served()?.clusters[0]?.tls === undefined);
  });

  interface Written {
    readonly parents?: readonly { readonly conditions: readonly { readonly reason: string }[] }[];
    readonly conditions?: readonly { readonly reason: string; readonly message: string }[];
  }
  const statusOf = async (type: ResourceType<CustomObject>, name: string): Promise<Written> =>
    ((await api.get(type, { namespace: "shop", name }))?.status ?? {}) as Written;

  test("what configures waypoints says what became of it", async () => {
    const stop = new AbortController();
    const writing = plane.plane.runStatus(stop.signal);
    const route = custom(HTTP_ROUTES, "ratings", {
      parentRefs: [{ group: "", kind: "Service", name: "ratings" }],
      rules: [{ backendRefs: [{ group: "", kind: "Service", name: "gone", port: 80 }] }],
    });
    await api.create(HTTP_ROUTES, route);
    await api.create(
      RATE_LIMIT_POLICIES,
      custom(RATE_LIMIT_POLICIES, "limit", {
        targetRefs: [{ group: "", kind: "Service", name: "gone" }],
        limits: [{ local: { requests: 1, per: "1s" } }],
      }),
    );
    await eventually(async () => {
      const { parents } = await statusOf(HTTP_ROUTES, "ratings");
      return (
        parents?.[0]?.conditions.map(({ reason }) => reason).join() ===
        "Accepted,BackendNotFound,MissingWaypoint"
      );
    });
    const reasonOf = async (type: ResourceType<CustomObject>, name: string): Promise<string | undefined> =>
      (await statusOf(type, name)).conditions?.map(({ reason }) => reason).join();
    await eventually(async () => (await reasonOf(RATE_LIMIT_POLICIES, "limit")) === "TargetNotFound");

    await api.create(REQUEST_AUTHENTICATIONS, custom(REQUEST_AUTHENTICATIONS, "tokens", {}));
    await eventually(async () => (await reasonOf(REQUEST_AUTHENTICATIONS, "tokens")) === "AncestorNotBound");
    await api.create(TELEMETRIES, custom(TELEMETRIES, "telemetry", {}));
    await eventually(async () => (await reasonOf(TELEMETRIES, "telemetry")) === "Accepted");

    const tunnelled = { host: "ratings", trafficPolicy: { tunnel: { targetHost: "a", targetPort: 1 } } };
    await api.create(DESTINATION_RULES, custom(DESTINATION_RULES, "ratings", tunnelled));
    await eventually(async () => (await reasonOf(DESTINATION_RULES, "ratings")) === "PartiallyInvalid");
    const direct = { spec: { trafficPolicy: { tunnel: null } } };
    const rule = { namespace: "shop", name: "ratings" };
    await api.patch(DESTINATION_RULES, rule, { kind: "merge", body: direct });
    // What is all done has nothing to say, and takes back what it said.
    await eventually(async () => !(await reasonOf(DESTINATION_RULES, "ratings")));
    await api.delete(DESTINATION_RULES, rule);
    stop.abort();
    await writing;
  });

  test("a VirtualService that cannot be read leaves what was known in force, and says so", async () => {
    const stop = new AbortController();
    const writing = plane.plane.runStatus(stop.signal);
    const labels = { "gateway.networking.k8s.io/gateway-name": "one" };
    const token = await runPod("one-ghi", "10.1.0.5", labels);
    await using peer = follow(plane, "one-ghi", token);
    const routes = (): number =>
      (peer.held.get(`servedService:${REVIEWS}`) as ServedService | undefined)?.ports[0]?.httpRoutes.length ??
      0;
    const object = custom(VIRTUAL_SERVICES, "reviews", {
      hosts: ["reviews"],
      http: [{ directResponse: { status: 200 } }],
    });
    await api.create(VIRTUAL_SERVICES, object);
    await eventually(() => routes() === 1);
    // The schema cannot say that a rule has one action; our parser does.
    const both = [{ directResponse: { status: 200 }, redirect: { uri: "/" } }];
    const reference = { namespace: "shop", name: "reviews" };
    await api.patch(VIRTUAL_SERVICES, reference, { kind: "merge", body: { spec: { http: both } } });
    await api.patch(SERVICES, reference, { kind: "merge", body: { metadata: { labels: { touched: "1" } } } });
    await eventually(
      () => plane.plane.compiler.inputs.services.get("shop/reviews")?.labels["touched"] === "1",
    );
    assert.equal(routes(), 1);
    const [told] = await eventually(async () => (await statusOf(VIRTUAL_SERVICES, "reviews")).conditions);
    assert.equal(told?.reason, "Invalid");
    assert.match(told.message, /^Generation 1 stays in force .*cannot be read: /);
    await api.delete(VIRTUAL_SERVICES, reference);
    await eventually(() => routes() === 0);
    stop.abort();
    await writing;
  });
});
