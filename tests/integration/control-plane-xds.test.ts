/** The control plane seen by its clients: over TLS, with tokens, against a real API server. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  type KubernetesClient,
  PEER_AUTHENTICATIONS,
  PODS,
  SERVICES,
} from "@meltemi/kubernetes";
import type { Policy, Workload } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { ADDRESS_TYPE_URL, type Address, type XdsUpdate } from "@meltemi/xds";
import {
  createRunningPod,
  createToken,
  ensureNamespace,
  type Subscriber,
  startCluster,
  startControlPlane,
  subscribe,
  type TestCluster,
  type TestControlPlane,
  uniqueName,
} from "./control-plane.fixture.ts";

let cluster: TestCluster;
let plane: TestControlPlane;
let token: string;

before(async () => {
  cluster = await startCluster();
  token = await createToken(cluster.client, "istio-system", "ztunnel");
  plane = await startControlPlane(cluster);
});

after(async () => {
  await plane?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

async function newNamespace(prefix: string): Promise<string> {
  const namespace = uniqueName(prefix);
  await ensureNamespace(cluster.client, namespace);
  return namespace;
}

function heldWorkload(subscriber: Subscriber, uid: string): Workload | undefined {
  const held = subscriber.held.get(uid) as Address | undefined;
  return held?.kind === "workload" ? held.workload : undefined;
}

async function createWebService(client: KubernetesClient, namespace: string): Promise<string> {
  await client.create(SERVICES, {
    metadata: { namespace, name: "web" },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
  return `${namespace}/web.${namespace}.svc.cluster.local`;
}

function denyPolicy(namespace: string, app: string): CustomObject {
  return {
    metadata: { namespace, name: `deny-${app}` },
    spec: {
      selector: { matchLabels: { app } },
      action: "DENY",
      rules: [{ from: [{ source: { principals: ["cluster.local/ns/x/sa/y"] } }] }],
    },
  };
}

test("wildcard: a pod, its service and a policy reach the subscriber, and leave it again", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("wild");
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  await createRunningPod(client, { namespace, name: "web-1", ip: "10.1.0.1", labels: { app: "web" } });
  const serviceName = await createWebService(client, namespace);
  await client.create(AUTHORIZATION_POLICIES, denyPolicy(namespace, "web"));

  const uid = `Kubernetes//Pod/${namespace}/web-1`;
  const workload = await eventually(() => {
    const held = heldWorkload(subscriber, uid);
    return held !== undefined && held.authorizationPolicies.length > 0 && held.services.size > 0
      ? held
      : undefined;
  });
  assert.equal(workload?.tunnelProtocol, "hbone");
  assert.deepEqual(workload?.addresses, ["10.1.0.1"]);
  assert.deepEqual(workload?.authorizationPolicies, [`${namespace}/deny-web`]);
  assert.deepEqual(workload?.services.get(serviceName), [
    { servicePort: 80, targetPort: 8080, appProtocol: "http11" },
  ]);
  assert.ok(subscriber.held.has(serviceName));
  const first = (wanted: (update: XdsUpdate) => boolean): number => subscriber.updates.findIndex(wanted);
  const policyAt = first(({ upserts }) => upserts.some(({ name }) => name === `${namespace}/deny-web`));
  const referenceAt = first(
    (update) =>
      update.kind === "address" &&
      update.upserts.some(
        ({ value }) => value.kind === "workload" && value.workload.authorizationPolicies.length > 0,
      ),
  );
  assert.ok(policyAt >= 0 && policyAt < referenceAt, "the policy comes before who refers to it");
  assert.equal((subscriber.held.get(`${namespace}/deny-web`) as Policy).action, "deny");

  await client.delete(PODS, { namespace, name: "web-1" }, { gracePeriodSeconds: 0 });
  await eventually(() => !subscriber.held.has(uid));
  await client.delete(AUTHORIZATION_POLICIES, { namespace, name: "deny-web" });
  await eventually(() => !subscriber.held.has(`${namespace}/deny-web`));
});

test("PeerAuthentication STRICT reaches workloads as a reference to the static policy", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("strict");
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  await createRunningPod(client, { namespace, name: "a", ip: "10.2.0.1" });
  await client.create(PEER_AUTHENTICATIONS, {
    metadata: { namespace, name: "default" },
    spec: { mtls: { mode: "STRICT" } },
  });
  const strict = "istio-system/istio_converted_static_strict";
  await eventually(() =>
    heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/a`)?.authorizationPolicies.includes(strict),
  );
  await eventually(() => subscriber.held.has(strict));
});

test("on demand: only what was asked for comes, under its address, with the pods of a service", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("demand");
  await createRunningPod(client, {
    namespace,
    name: "web-1",
    ip: "10.3.0.1",
    node: "far",
    labels: { app: "web" },
  });
  await createRunningPod(client, { namespace, name: "other", ip: "10.3.0.2", node: "far" });
  await eventually(() => plane.plane.resources.addresses.get(`Kubernetes//Pod/${namespace}/other`));
  await using subscriber = subscribe(plane, token, { onDemand: true });
  await subscriber.client.synced;
  await subscriber.client.fetch("/10.3.0.2");
  assert.ok(heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/other`));
  assert.equal(heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/web-1`), undefined);

  const serviceName = await createWebService(client, namespace);
  await eventually(() => plane.plane.resources.addresses.get(serviceName));
  await subscriber.client.fetch(serviceName);
  assert.ok(subscriber.held.has(serviceName));
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/web-1`));
  // A pod that joins the service later comes by itself.
  await createRunningPod(client, {
    namespace,
    name: "web-2",
    ip: "10.3.0.3",
    node: "far",
    labels: { app: "web" },
  });
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/web-2`));

  await subscriber.client.fetch("/10.255.0.1");
  assert.ok(subscriber.updates.some(({ removedNames }) => removedNames.includes("/10.255.0.1")));
});

test("on demand: the node's own pods come unasked", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("local");
  await createRunningPod(client, { namespace, name: "here", ip: "10.4.0.1", node: "node-a" });
  await using subscriber = subscribe(plane, token, { onDemand: true });
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/here`));
});

test("a refused resource is recorded, the others of the same response are applied", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("nack");
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  const bad = `Kubernetes//Pod/${namespace}/bad`;
  subscriber.refuse.add(bad);
  await createRunningPod(client, { namespace, name: "bad", ip: "10.5.0.1" });
  await createRunningPod(client, { namespace, name: "good", ip: "10.5.0.2" });
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/good`));
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${plane.monitoringPort}/metrics`);
    return /pilot_total_xds_rejects\{type="istio.workload.Address"\} [1-9]/.test(await answer.text());
  });
  assert.equal(subscriber.held.has(bad), false);
});

test("after the control plane restarts, the client is told only what changed meanwhile", async () => {
  const { client } = cluster;
  const namespace = await newNamespace("again");
  await createRunningPod(client, { namespace, name: "stays", ip: "10.6.0.1" });
  await createRunningPod(client, { namespace, name: "goes", ip: "10.6.0.2" });
  const first = await startControlPlane(cluster);
  // The client's address and trust move with the second control plane.
  const where = { securePort: first.securePort, rootPem: first.rootPem };
  await using subscriber = subscribe(where, token);
  await subscriber.client.synced;
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/goes`));
  const heldBefore = subscriber.held.size;
  assert.ok(heldBefore > 2);
  await first[Symbol.asyncDispose]();
  await eventually(() => !subscriber.client.connected || subscriber.client.heldCount(ADDRESS_TYPE_URL) > 0);
  await client.delete(PODS, { namespace, name: "goes" }, { gracePeriodSeconds: 0 });
  await createRunningPod(client, { namespace, name: "new", ip: "10.6.0.3" });
  const seen = subscriber.updates.length;

  await using second = await startControlPlane(cluster, { securePort: first.securePort });
  where.rootPem = second.rootPem;
  await eventually(() => heldWorkload(subscriber, `Kubernetes//Pod/${namespace}/new`));
  await eventually(() => !subscriber.held.has(`Kubernetes//Pod/${namespace}/goes`));
  const names = subscriber.updates.slice(seen).flatMap(({ upserts }) => upserts.map(({ name }) => name));
  assert.deepEqual(names, [`Kubernetes//Pod/${namespace}/new`]);
});

const refusals = [
  { name: "no token", token: async () => undefined },
  { name: "a token that is none", token: async () => "not-a-token" },
  {
    name: "a token for somebody else",
    token: () => createToken(cluster.client, "istio-system", "ztunnel", ["vault"]),
  },
  {
    name: "a token of another namespace",
    token: () => createToken(cluster.client, "intruders", "ztunnel"),
  },
] as const;

for (const refusal of refusals) {
  test(`refused: ${refusal.name}`, async () => {
    const value = await refusal.token();
    await using subscriber = subscribe(plane, value);
    await eventually(() => subscriber.ends.length >= 2, { deadlineMs: 10_000 });
    assert.equal(subscriber.updates.length, 0);
    assert.ok(subscriber.ends.every((reason) => reason === "Error"));
  });
}

test("refused: a server that the roots do not vouch for", async () => {
  const stranger = await startControlPlane(cluster);
  await using subscriber = subscribe({ ...plane, rootPem: stranger.rootPem }, token);
  await eventually(() => subscriber.ends.includes("ConnectionError"));
  assert.equal(subscriber.updates.length, 0);
  await stranger[Symbol.asyncDispose]();
});
