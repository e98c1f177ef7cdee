/** Gateways become waypoints against a real API server: objects, overlays, status, what is left alone and what is healed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONFIG_MAPS,
  type Condition,
  DEPLOYMENTS,
  type Deployment,
  ENDPOINT_SLICES,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  HORIZONTAL_POD_AUTOSCALERS,
  type KubernetesClient,
  type KubernetesObject,
  POD_DISRUPTION_BUDGETS,
  type ResourceType,
  SERVICE_ACCOUNTS,
  SERVICES,
  withServedVersions,
} from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { runWaypointDeployer } from "../../components/control-plane/src/waypoint-deployer/deployer.ts";
import type { DeployerSettings } from "../../components/control-plane/src/waypoint-deployer/settings.ts";
import { ensureNamespace, quietLogger, startCluster, startControlPlane } from "./control-plane.fixture.ts";

const deadline = { timeout: 60_000 };
const NAMESPACE = "apps";
const ref = { namespace: NAMESPACE, name: "waypoint" };
const HOSTNAME = "waypoint.apps.svc.cluster.local";

const SETTINGS: DeployerSettings = {
  image: "docker.io/meltemi/proxyv2:test",
  revision: "default",
  systemNamespace: "istio-system",
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  trustDomain: "cluster.local",
  network: "",
  controlPlaneAddress: "istiod.istio-system.svc:15012",
  logLevel: "info",
  logAsJson: false,
  pod: { resources: { requests: { cpu: "100m" } }, placement: {} },
  highAvailability: false,
  revocationLists: true,
};

interface Scene extends AsyncDisposable {
  readonly client: KubernetesClient;
}

/** Calls as they would end at a server without these kinds. */
function withoutKinds(client: KubernetesClient, groups: readonly string[]): KubernetesClient {
  const served = <T>(group: string, call: () => Promise<T>): Promise<T> =>
    groups.includes(group)
      ? Promise.reject(
          new MeshError("NOT_FOUND", "the server could not find the requested resource", {
            details: { status: 404, reason: "NotFound" },
          }),
        )
      : call();
  return {
    ...client,
    list: (type, options) => served(type.group, () => client.list(type, options)),
    get: (type, ref, options) => served(type.group, () => client.get(type, ref, options)),
    apply: (type, object, options) => served(type.group, () => client.apply(type, object, options)),
    request: async (request) =>
      groups.some((group) => request.path.startsWith(`/apis/${group}/`))
        ? { status: 404, contentType: "text/plain", body: "404 page not found" }
        : await client.request(request),
  };
}

/** A control plane that leads, over a server without the kinds of some groups. */
async function createScene(missingGroups: readonly string[] = []): Promise<Scene> {
  const cluster = await startCluster();
  const client = withServedVersions(withoutKinds(cluster.client, missingGroups));
  for (const namespace of ["istio-system", NAMESPACE]) await ensureNamespace(client, namespace);
  const running = await startControlPlane(cluster);
  const stop = new AbortController();
  const { watch } = running.plane;
  const deps = { client, clock: systemClock, random: Math.random, log: quietLogger(), watch };
  const duties = Promise.all([
    running.plane.runStatus(stop.signal),
    runWaypointDeployer(SETTINGS, deps, stop.signal),
  ]);
  return {
    client,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await duties;
      await running[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

function gateway(fields: Partial<NonNullable<Gateway["spec"]>> = {}, metadata: object = {}): Gateway {
  return {
    metadata: { ...ref, ...metadata },
    spec: {
      gatewayClassName: "istio-waypoint",
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
      ...fields,
    },
  };
}

/** Conditions as `type=status/reason`. */
async function conditions(
  client: KubernetesClient,
  type: ResourceType,
  at: object,
): Promise<readonly string[]> {
  const object = await client.get(type, at as typeof ref);
  const { status } = (object ?? {}) as { readonly status?: { readonly conditions?: readonly Condition[] } };
  return (status?.conditions ?? []).map((each) => `${each.type}=${each.status}/${each.reason}`);
}

async function untilConditions(
  client: KubernetesClient,
  type: ResourceType,
  at: object,
  want: readonly string[],
): Promise<void> {
  let found: readonly string[] = [];
  await eventually(async () => {
    found = await conditions(client, type, at);
    return want.every((each) => found.includes(each));
  }).catch((cause: unknown) => {
    throw new Error(`expected ${want.join(" ")}, got ${found.join(" ")}`, { cause });
  });
}

/** What Kubernetes would say of a pod that became ready, or went. */
async function setReady(client: KubernetesClient, ready: boolean): Promise<void> {
  await client.apply(
    ENDPOINT_SLICES,
    {
      metadata: {
        namespace: NAMESPACE,
        name: "waypoint-1",
        labels: {
          "kubernetes.io/service-name": "waypoint",
          "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        },
      },
      addressType: "IPv4",
      ports: [{ name: "mesh", port: 15008 }],
      endpoints: [{ addresses: ["10.0.0.9"], conditions: { ready } }],
    },
    { fieldManager: "test", force: true },
  );
}

const deploymentOf = (client: KubernetesClient): Promise<Deployment> =>
  eventually(() => client.get(DEPLOYMENTS, ref));

test("a Gateway becomes a waypoint: objects, then an address that stays", deadline, async () => {
  await using scene = await createScene();
  const { client } = scene;
  await untilConditions(client, GATEWAY_CLASSES, { name: "istio-waypoint" }, ["Accepted=True/Accepted"]);
  await client.create(SERVICES, {
    metadata: { namespace: NAMESPACE, name: "reviews", labels: { "istio.io/use-waypoint": "waypoint" } },
    spec: { ports: [{ port: 80 }] },
  });
  const reviews = { namespace: NAMESPACE, name: "reviews" };
  await untilConditions(client, SERVICES, reviews, ["istio.io/WaypointBound=False/WaypointIsNotReady"]);

  await client.create(GATEWAYS, gateway());
  const deployment = await deploymentOf(client);
  assert.equal(deployment.metadata?.ownerReferences?.[0]?.name, "waypoint");
  const [container] = deployment.spec?.template.spec?.containers ?? [];
  assert.deepEqual([container?.name, container?.image], ["istio-proxy", SETTINGS.image]);
  assert.deepEqual(container?.args?.slice(0, 2), ["proxy", "waypoint"]);
  const account = await eventually(() => client.get(SERVICE_ACCOUNTS, ref));
  assert.equal(account.metadata?.labels?.["gateway.istio.io/managed"], "istio.io-mesh-controller");
  const service = await eventually(() => client.get(SERVICES, ref));
  assert.deepEqual(
    service.spec?.ports?.map(({ name, port }) => [name, port]),
    [
      ["status-port", 15021],
      ["mesh", 15008],
    ],
  );
  await untilConditions(client, GATEWAYS, ref, [
    "Accepted=True/Accepted",
    "Programmed=False/AddressNotAssigned",
    "ResolvedRefs=True/ResolvedRefs",
  ]);

  await setReady(client, true);
  await untilConditions(client, GATEWAYS, ref, ["Programmed=True/Programmed"]);
  const programmed = await client.get(GATEWAYS, ref);
  assert.equal(programmed?.metadata?.annotations?.["gateway.istio.io/controller-version"], "5");
  assert.deepEqual(
    programmed?.status?.addresses?.map(({ type }) => type),
    ["IPAddress", "Hostname"],
  );
  assert.equal(programmed?.status?.addresses?.[1]?.value, HOSTNAME);
  assert.equal(
    programmed?.status?.conditions?.find(({ type }) => type === "Programmed")?.message,
    `Resource programmed, assigned to service(s) ${HOSTNAME}:15008`,
  );
  await untilConditions(client, SERVICES, reviews, ["istio.io/WaypointBound=True/WaypointAccepted"]);

  await setReady(client, false);
  await untilConditions(client, GATEWAYS, ref, ["Programmed=False/AddressNotAssigned"]);
  assert.equal((await client.get(GATEWAYS, ref))?.status?.addresses?.length, 2, "an address stays");

  const body = { metadata: { labels: { "istio.io/use-waypoint": null } } };
  await client.patch(SERVICES, reviews, { kind: "merge", body });
  await eventually(async () => (await conditions(client, SERVICES, reviews)).length === 0);
});

test(
  "TestWaypointChanges: parameters of the class and of the Gateway, changed and refused",
  deadline,
  async () => {
    await using scene = await createScene();
    const { client } = scene;
    const parametersRef = { group: "", kind: "ConfigMap", name: "options" };
    await client.create(CONFIG_MAPS, {
      metadata: {
        namespace: "istio-system",
        name: "defaults",
        labels: { "gateway.istio.io/defaults-for-class": "istio-waypoint" },
      },
      data: {
        deployment: "spec: {minReadySeconds: 7, template: {spec: {terminationGracePeriodSeconds: 60}}}",
      },
    });
    await client.create(GATEWAYS, gateway({ infrastructure: { parametersRef } }));
    await untilConditions(client, GATEWAYS, ref, ["Accepted=False/InvalidParameters"]);
    assert.equal(await client.get(DEPLOYMENTS, ref), undefined);

    const options = { namespace: NAMESPACE, name: "options" };
    const grace = (seconds: number): string =>
      `spec: {template: {spec: {terminationGracePeriodSeconds: ${seconds}}}}`;
    await client.create(CONFIG_MAPS, { metadata: options, data: { deployment: grace(30) } });
    const specOf = async (): Promise<Deployment["spec"]> => (await client.get(DEPLOYMENTS, ref))?.spec;
    const untilGrace = (seconds: number): Promise<unknown> =>
      eventually(async () => (await specOf())?.template.spec?.terminationGracePeriodSeconds === seconds);
    await untilGrace(30);
    assert.equal((await specOf())?.minReadySeconds, 7, "the class's part is under it");
    await untilConditions(client, GATEWAYS, ref, ["Accepted=True/Accepted"]);

    const change = (data: object): Promise<unknown> =>
      client.patch(CONFIG_MAPS, options, { kind: "merge", body: { data } });
    await change({ deployment: grace(3) });
    await untilGrace(3);
    const env = (await specOf())?.template.spec?.containers[0]?.env;
    assert.equal(env?.find(({ name }) => name === "TERMINATION_GRACE_PERIOD_SECONDS")?.value, "3");

    for (const bad of [{ deployment: "metadata: {name: other}" }, { deploiment: "{}" }]) {
      await change({ deployment: grace(3), deploiment: null, ...bad });
      await untilConditions(client, GATEWAYS, ref, ["Programmed=False/Invalid"]);
      await change({ deployment: grace(3), deploiment: null });
      await untilConditions(client, GATEWAYS, ref, ["Programmed=False/AddressNotAssigned"]);
    }
  },
);

test(
  "one annotation gives replicas, a budget and an autoscaler, and takes them away again",
  deadline,
  async () => {
    await using scene = await createScene();
    const { client } = scene;
    const annotations = { "meltemi.io/high-availability": "true" };
    await client.create(GATEWAYS, gateway({}, { annotations }));
    await eventually(async () => (await client.get(DEPLOYMENTS, ref))?.spec?.replicas === 2);
    const autoscaler = await eventually(() => client.get(HORIZONTAL_POD_AUTOSCALERS, ref));
    assert.deepEqual([autoscaler.spec?.minReplicas, autoscaler.spec?.maxReplicas], [2, 10]);
    assert.equal(autoscaler.spec?.behavior?.scaleDown?.stabilizationWindowSeconds, 300);
    const budget = await eventually(() => client.get(POD_DISRUPTION_BUDGETS, ref));
    assert.equal(budget.spec?.maxUnavailable, 1);
    const spread = (await deploymentOf(client)).spec?.template.spec?.topologySpreadConstraints ?? [];
    assert.deepEqual(
      spread.map(({ topologyKey }) => topologyKey),
      ["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
    );

    // An autoscaler, or a person, decides from now on.
    await client.patch(DEPLOYMENTS, ref, { kind: "merge", body: { spec: { replicas: 5 } } });
    await client.delete(SERVICE_ACCOUNTS, ref);
    await eventually(() => client.get(SERVICE_ACCOUNTS, ref));
    assert.equal((await client.get(DEPLOYMENTS, ref))?.spec?.replicas, 5);

    const body = { metadata: { annotations: { "meltemi.io/high-availability": null } } };
    await client.patch(GATEWAYS, ref, { kind: "merge", body });
    for (const type of [HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS] as readonly ResourceType[])
      await eventually(async () => (await client.get(type, ref)) === undefined);
  },
);

test("a cluster without autoscalers has waypoints without, and all the rest", deadline, async () => {
  await using scene = await createScene(["autoscaling"]);
  const { client } = scene;
  const annotations = { "meltemi.io/high-availability": "true" };
  await client.create(GATEWAYS, gateway({}, { annotations }));
  await eventually(() => client.get(POD_DISRUPTION_BUDGETS, ref));
  await eventually(async () => (await client.get(DEPLOYMENTS, ref))?.spec?.replicas === 2);
  await untilConditions(client, GATEWAYS, ref, ["Accepted=True/Accepted"]);
});

test("what is somebody else's is left alone: revisions, versions, classes, objects", deadline, async () => {
  await using scene = await createScene();
  const { client } = scene;
  await client.create(SERVICES, { metadata: ref, spec: { ports: [{ port: 1 }] } });
  const named = (name: string, fields: object = {}, metadata: object = {}): Promise<Gateway> =>
    client.create(GATEWAYS, gateway(fields, { ...metadata, name }));
  // TestOtherRevisionIgnored
  await named("foo", {}, { labels: { "istio.io/rev": "foo" } });
  await named("newer", {}, { annotations: { "gateway.istio.io/controller-version": "6" } });
  await named("ingress", { gatewayClassName: "istio" });
  await named("elsewhere", { addresses: [{ type: "Hostname", value: "reviews" }] });
  await named("waypoint");
  await deploymentOf(client);
  await untilConditions(client, GATEWAYS, { ...ref, name: "elsewhere" }, [
    "Programmed=False/AddressNotUsable",
  ]);
  const deployed = await client.list(DEPLOYMENTS, { namespace: NAMESPACE });
  assert.deepEqual(
    deployed.items.map(({ metadata }) => metadata?.name),
    ["waypoint"],
  );
  const service = await client.get(SERVICES, ref);
  assert.deepEqual(
    service?.spec?.ports?.map(({ port }) => port),
    [1],
  );
  await untilConditions(client, GATEWAYS, ref, ["Programmed=False/AddressNotUsable"]);
  for (const name of ["foo", "newer", "ingress"]) {
    const found = await conditions(client, GATEWAYS, { ...ref, name });
    assert.ok(
      found.every((each) => each.endsWith("=Unknown/Pending")),
      `${name}: ${found.join(" ")}`,
    );
  }
});

test("a Gateway follows the tag that its namespace names, wherever the tag goes", deadline, async () => {
  await using scene = await createScene();
  const { client } = scene;
  const tagAt = { namespace: SETTINGS.systemNamespace, name: "istiod-revision-tag-prod" };
  const point = (revision: string): Promise<KubernetesObject> =>
    client.apply(
      SERVICES,
      {
        metadata: { ...tagAt, labels: { "istio.io/tag": "prod", "istio.io/rev": revision } },
        spec: { ports: [{ port: 15012 }] },
      },
      { fieldManager: "test", force: true },
    );
  const labels = { "istio.io/rev": "prod" };
  await ensureNamespace(client, SETTINGS.systemNamespace);
  await point("foo");
  await client.create(GATEWAYS, gateway({}, { labels }));
  // Proof that the deployer has been there: the other one is deployed.
  await client.create(GATEWAYS, gateway({}, { name: "untagged" }));
  await eventually(() => client.get(DEPLOYMENTS, { ...ref, name: "untagged" }));
  assert.equal(await client.get(DEPLOYMENTS, ref), undefined);
  await point("default");
  await deploymentOf(client);
});

test("what is changed behind its back is put right, and stays as users extend it", deadline, async () => {
  await using scene = await createScene();
  const { client } = scene;
  await client.create(GATEWAYS, gateway());
  const { metadata } = await deploymentOf(client);
  const strip = {
    metadata: { labels: { "gateway.networking.k8s.io/gateway-class-name": null, mine: "kept" } },
  };
  await client.patch(DEPLOYMENTS, ref, { kind: "merge", body: strip });
  const labels = await eventually(async () => {
    const now = (await client.get(DEPLOYMENTS, ref))?.metadata?.labels;
    return now?.["gateway.networking.k8s.io/gateway-class-name"] === undefined ? undefined : now;
  });
  assert.equal(labels["mine"], "kept");
  await client.delete(DEPLOYMENTS, ref);
  const again: KubernetesObject = await eventually(async () => {
    const now = await client.get(DEPLOYMENTS, ref);
    return now?.metadata?.uid === metadata?.uid ? undefined : now;
  });
  assert.ok(again);
});
