/** The demand for a waypoint over a real API server and real streams: what ztunnels are told, and what the Service says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Condition, GATEWAYS, NAMESPACES, SERVICES } from "@meltemi/kubernetes";
import type { Policy, Service, Workload } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import {
  createRunningPod,
  createToken,
  ensureNamespace,
  type Subscriber,
  startCluster,
  startControlPlane,
  subscribe,
  type TestCluster,
} from "./control-plane.fixture.ts";

const NAMESPACE = "shop";
const GUARD = `${NAMESPACE}/meltemi_waypoint_required_8080_${NAMESPACE}.l7`;
const NOBODY = `${NAMESPACE}/meltemi_waypoint_required_8080_nobody`;
const REQUIRED = "meltemi.io/waypoint-required";

async function createScene() {
  const cluster = await startCluster();
  const running = await startControlPlane(cluster);
  const stop = new AbortController();
  const duty = running.plane.runStatus(stop.signal);
  const { client } = cluster;
  await ensureNamespace(client, NAMESPACE);
  const token = await createToken(client, "istio-system", "ztunnel");
  const ztunnel = subscribe(running, token);
  return {
    client,
    ztunnel,
    metrics: async () => await (await fetch(`http://127.0.0.1:${running.monitoringPort}/metrics`)).text(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await duty;
      await ztunnel[Symbol.asyncDispose]();
      await running[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

type Api = TestCluster["client"];

async function createGateway(client: Api): Promise<void> {
  await client.create(GATEWAYS, {
    metadata: {
      namespace: NAMESPACE,
      name: "waypoint",
      annotations: { "gateway.istio.io/service-account": "l7" },
    },
    spec: {
      gatewayClassName: "istio-waypoint",
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
    },
  });
  const status = { addresses: [{ type: "IPAddress", value: "10.96.0.9" }] };
  await client.patch(
    GATEWAYS,
    { namespace: NAMESPACE, name: "waypoint" },
    { kind: "merge", body: { status } },
    { subresource: "status" },
  );
}

async function createReviews(client: Api): Promise<void> {
  await client.create(SERVICES, {
    metadata: { namespace: NAMESPACE, name: "reviews", labels: { "istio.io/use-waypoint": "waypoint" } },
    spec: { selector: { app: "reviews" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await createRunningPod(client, {
    namespace: NAMESPACE,
    name: "reviews-1",
    ip: "10.0.0.1",
    labels: { app: "reviews" },
  });
}

const annotate = (client: Api, value: string | null): Promise<unknown> =>
  client.patch(
    SERVICES,
    { namespace: NAMESPACE, name: "reviews" },
    { kind: "merge", body: { metadata: { annotations: { [REQUIRED]: value } } } },
  );

function serviceOf({ held }: Subscriber): Service | undefined {
  const value = held.get(`${NAMESPACE}/reviews.${NAMESPACE}.svc.cluster.local`);
  return (value as { readonly service: Service } | undefined)?.service;
}

async function condition(client: Api, type: string): Promise<Condition | undefined> {
  const service = await client.get(SERVICES, { namespace: NAMESPACE, name: "reviews" });
  const { status } = (service ?? {}) as { readonly status?: { readonly conditions?: readonly Condition[] } };
  return status?.conditions?.find((each) => each.type === type);
}

const until = (client: Api, type: string, want: string | undefined): Promise<unknown> =>
  eventually(async () => {
    const found = await condition(client, type);
    assert.equal(found && `${found.status}/${found.reason}`, want);
    return true;
  });
const required = (client: Api, want: string | undefined): Promise<unknown> =>
  until(client, "meltemi.io/WaypointRequired", want);

test("a demand reaches ztunnels as a policy, and the Service's status", { timeout: 60_000 }, async () => {
  await using scene = await createScene();
  const { client, ztunnel } = scene;
  const guardsOf = (pod: string): readonly string[] => {
    const held = ztunnel.held.get(`Kubernetes//Pod/${NAMESPACE}/${pod}`) as
      | { readonly workload: Workload }
      | undefined;
    return held?.workload.authorizationPolicies ?? ["not told yet"];
  };
  const enforced = (guard: string): Promise<unknown> =>
    eventually(() => guardsOf("reviews-1")[0] === guard && ztunnel.held.has(guard));

  await createGateway(client);
  await createReviews(client);
  await until(client, "istio.io/WaypointBound", "True/WaypointAccepted");
  await eventually(() => guardsOf("reviews-1").length === 0);

  await annotate(client, "true");
  await enforced(GUARD);
  assert.deepEqual((ztunnel.held.get(GUARD) as Policy).rules[0]?.[0]?.[0]?.notPrincipals, [
    { kind: "exact", value: `cluster.local/ns/${NAMESPACE}/sa/l7` },
  ]);
  await required(client, "True/Enforced");

  await createRunningPod(client, {
    namespace: NAMESPACE,
    name: "reviews-2",
    ip: "10.0.0.2",
    labels: { app: "reviews" },
    captured: false,
  });
  await required(client, "False/WorkloadsNotInMesh");
  assert.match(
    (await condition(client, "meltemi.io/WaypointRequired"))?.message ?? "",
    /at reviews-2: no ztunnel/,
  );

  await client.delete(GATEWAYS, { namespace: NAMESPACE, name: "waypoint" });
  await enforced(NOBODY);
  await eventually(() => !ztunnel.held.has(GUARD));

  await annotate(client, null);
  await eventually(() => guardsOf("reviews-1").length === 0 && !ztunnel.held.has(NOBODY));
  await required(client, undefined);
});

test("a Namespace demands for its Services; a missing waypoint refuses", { timeout: 60_000 }, async () => {
  await using scene = await createScene();
  const { client, ztunnel } = scene;
  await createReviews(client);
  await client.patch(
    NAMESPACES,
    { name: NAMESPACE },
    { kind: "merge", body: { metadata: { annotations: { [REQUIRED]: "true" } } } },
  );
  await required(client, "True/NoUsableWaypoint");
  await eventually(() => ztunnel.held.has(NOBODY));
  await eventually(() => {
    assert.deepEqual(serviceOf(ztunnel)?.waypoint?.destination, {
      kind: "hostname",
      namespace: NAMESPACE,
      hostname: "missing.required-waypoint.invalid",
    });
    return true;
  });
});

test("a broken reference that nobody demands is loud, and lets traffic pass", {
  timeout: 60_000,
}, async () => {
  await using scene = await createScene();
  const { client, ztunnel } = scene;
  await createReviews(client);
  await until(client, "istio.io/WaypointBound", "False/WaypointIsNotReady");
  await eventually(async () =>
    /^meltemi_waypoint_references_broken\{reason="WaypointIsNotReady"\} 1$/m.test(await scene.metrics()),
  );
  const service = await eventually(() => serviceOf(ztunnel));
  assert.equal(service.waypoint, undefined);
  assert.equal(
    [...ztunnel.held.keys()].some((name) => name.includes("waypoint_required")),
    false,
  );
  await required(client, undefined);
});
