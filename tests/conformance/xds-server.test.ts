/**
 * Delta ADS as a server (reference: protocol §3.1, §3.8): our control plane, over a real
 * API server, against a client that behaves as Istio's ztunnel.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { AUTHORIZATION_POLICIES } from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { createToken } from "../integration/control-plane.fixture.ts";
import { ControlPlaneScene, NODE, podUid } from "./control-plane-scene.fixture.ts";
import {
  type ForeignAdsClient,
  namesOf,
  openStream,
  readAddress,
  readPolicy,
} from "./foreign-ads-client.fixture.ts";
import { ADDRESS, AUTHORIZATION } from "./foreign-istiod.fixture.ts";

const deadline = { timeout: 20_000 };

let scene: ControlPlaneScene;

before(async () => {
  scene = await ControlPlaneScene.start();
});
after(() => scene?.[Symbol.asyncDispose]());

test("§3.8 wildcard: names, versions and content as Istio's; equal content, equal version", async () => {
  const namespace = await scene.newNamespace();
  const key = await scene.service(namespace, "web", "10.96.1.1");
  const name = await scene.pod(namespace, "web-1", "10.1.0.1", { app: "web" });
  const [first, versions] = await scene.wildcard();
  const [response] = first.responses.filter(({ typeUrl }) => typeUrl === ADDRESS);
  const found = response?.resources.find((resource) => resource.name === name);
  assert.equal(found?.resource?.typeUrl, ADDRESS);
  assert.deepEqual(found?.aliases, [], "a client of everything is told no aliases");
  const { type } = readAddress(found?.resource?.value);
  assert.equal(type.case, "workload");
  if (type.case !== "workload") return;
  const { value } = type;
  assert.deepEqual(
    [
      value.uid,
      value.tunnelProtocol,
      value.workloadType,
      value.trustDomain,
      value.clusterId,
      value.serviceAccount,
    ],
    [name, 1, 2, "", "Kubernetes", "default"],
  );
  assert.deepEqual([...(value.addresses[0] ?? [])], [10, 1, 0, 1]);
  assert.deepEqual(
    value.services[key]?.ports.map(({ servicePort, targetPort }) => [servicePort, targetPort]),
    [[80, 8080]],
  );
  const vip = readAddress(
    response?.resources.find((resource) => resource.name === key)?.resource?.value,
  ).type;
  assert.equal(vip.case === "service" && vip.value.hostname, `web.${namespace}.svc.cluster.local`);
  assert.equal(vip.case === "service" && vip.value.canonical, true);
  const [second, again] = await scene.wildcard();
  assert.deepEqual(again, versions);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
});

test(
  "§3.8 wildcard: a change is one resource, a removal one name; nothing is sent to who owes an answer",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const [client] = await scene.wildcard();
    using _ = client;
    const name = await scene.pod(namespace, "a", "10.1.1.1");
    const added = await client.next(ADDRESS);
    assert.deepEqual([namesOf(added), added.removedResources], [[name], []]);
    // Until it is answered, changes gather.
    await scene.pod(namespace, "b", "10.1.1.2");
    await scene.remove(namespace, "a");
    await eventually(() => scene.plane.plane.resources.addresses.get(name) === undefined);
    client.ack(added);
    const rest: string[] = [];
    const gone: string[] = [];
    while (gone.length === 0 || rest.length === 0) {
      const response = await client.next(ADDRESS);
      rest.push(...namesOf(response));
      gone.push(...response.removedResources);
      client.ack(response);
    }
    assert.deepEqual([rest.filter((one) => one !== name), gone], [[podUid(namespace, "b")], [name]]);
  },
);

test(
  "§3.8 a reconnect with versions is told only what changed, came or went while it was away",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    await scene.pod(namespace, "stays", "10.1.2.1");
    const gone = await scene.pod(namespace, "goes", "10.1.2.2");
    const [first, held] = await scene.wildcard();
    first[Symbol.dispose]();
    await scene.remove(namespace, "goes");
    await eventually(() => scene.plane.plane.resources.addresses.get(gone) === undefined);
    const came = await scene.pod(namespace, "comes", "10.1.2.3");
    const client = scene.open();
    using _ = client;
    client.send({ typeUrl: ADDRESS, node: NODE, initialResourceVersions: { ...held, "never/was": "x" } });
    const response = await client.next(ADDRESS);
    assert.deepEqual(namesOf(response), [came]);
    assert.deepEqual(response.removedResources.toSorted(), [gone, "never/was"].toSorted());
  },
);

test("§3.1 a reconnect with all that there is gets an answer, and an empty one: readiness waits for it", async () => {
  const [first, held] = await scene.wildcard();
  first[Symbol.dispose]();
  const client = scene.open();
  using _ = client;
  client.send({ typeUrl: ADDRESS, node: NODE, initialResourceVersions: held });
  const response = await client.next(ADDRESS);
  assert.deepEqual([namesOf(response), response.removedResources], [[], []]);
  assert.notEqual(response.nonce, "");
});

test("§3.1 a version that ztunnel refused (empty) brings the resource again", async () => {
  const namespace = await scene.newNamespace();
  const name = await scene.pod(namespace, "a", "10.1.3.1");
  const [first, held] = await scene.wildcard();
  first[Symbol.dispose]();
  const client = scene.open();
  using _ = client;
  client.send({ typeUrl: ADDRESS, node: NODE, initialResourceVersions: { ...held, [name]: "" } });
  assert.deepEqual(namesOf(await client.next(ADDRESS)), [name]);
});

test("§3.8 a NACK is recorded and not tried again; the next change is sent", deadline, async () => {
  const namespace = await scene.newNamespace();
  const [client] = await scene.wildcard();
  using _ = client;
  const name = await scene.pod(namespace, "bad", "10.3.0.1");
  const refused = await client.next(ADDRESS);
  assert.deepEqual(namesOf(refused), [name]);
  client.nack(refused, `${name}: unknown enum`);
  await eventually(async () => {
    const page = await fetch(`http://127.0.0.1:${scene.plane.monitoringPort}/metrics`);
    return /pilot_total_xds_rejects\{type="istio.workload.Address"\} [1-9]/.test(await page.text());
  });
  const other = await scene.pod(namespace, "next", "10.3.0.2");
  assert.deepEqual(namesOf(await client.next(ADDRESS)), [other]);
});

test(
  "§3.8 a stale nonce counts for nothing: the answer that is owed is still awaited",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const [client] = await scene.wildcard();
    using _ = client;
    await scene.pod(namespace, "a", "10.3.1.1");
    const owed = await client.next(ADDRESS);
    client.send({ typeUrl: ADDRESS, responseNonce: "no-such-nonce" });
    client.send({ typeUrl: ADDRESS, responseNonce: `${owed.nonce}9`, errorDetail: { message: "stale" } });
    const second = await scene.pod(namespace, "b", "10.3.1.2");
    // A policy is not held up by the type that owes an answer: once it is here, the stale ones were read.
    await scene.cluster.client.create(AUTHORIZATION_POLICIES, {
      metadata: { namespace, name: "later" },
      spec: {},
    });
    client.ack(await client.next(AUTHORIZATION));
    assert.equal(
      client.responses.filter(({ resources }) => resources.some(({ name }) => name === second)).length,
      0,
    );
    client.ack(owed);
    assert.deepEqual(namesOf(await client.next(ADDRESS)), [second]);
  },
);

test("§3.4 a policy comes before the workload that names it, and goes after it", deadline, async () => {
  const namespace = await scene.newNamespace();
  const name = await scene.pod(namespace, "a", "10.3.2.1", { app: "a" });
  const [client] = await scene.wildcard();
  using _ = client;
  const key = `${namespace}/deny-a`;
  await scene.cluster.client.create(AUTHORIZATION_POLICIES, {
    metadata: { namespace, name: "deny-a" },
    spec: {
      selector: { matchLabels: { app: "a" } },
      action: "DENY",
      rules: [{ from: [{ source: { principals: ["cluster.local/ns/x/sa/y"] } }] }],
    },
  });
  const policy = await client.next();
  assert.deepEqual([policy.typeUrl, namesOf(policy)], [AUTHORIZATION, [key]]);
  const { scope, action, rules } = readPolicy(policy.resources[0]?.resource?.value);
  assert.deepEqual([scope, action, rules.length], [2, 1, 1]);
  client.ack(policy);
  const workload = await client.next();
  assert.deepEqual([workload.typeUrl, namesOf(workload)], [ADDRESS, [name]]);
  const { type } = readAddress(workload.resources[0]?.resource?.value);
  assert.deepEqual(type.case === "workload" && type.value.authorizationPolicies, [key]);
  client.ack(workload);
  await scene.cluster.client.delete(AUTHORIZATION_POLICIES, { namespace, name: "deny-a" });
  const released = await client.next();
  assert.deepEqual([released.typeUrl, namesOf(released)], [ADDRESS, [name]]);
  client.ack(released);
  const removed = await client.next();
  assert.deepEqual([removed.typeUrl, removed.removedResources], [AUTHORIZATION, [key]]);
});

test("§3.8 a type that is not served is left unanswered, and the stream goes on", async () => {
  const client = scene.open();
  using _ = client;
  client.send({ typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster", node: NODE });
  client.send({ typeUrl: ADDRESS, node: NODE });
  assert.equal((await client.next()).typeUrl, ADDRESS);
});

const REFUSALS: readonly (readonly [
  name: string,
  code: number,
  open: () => Promise<[string | undefined, Parameters<ForeignAdsClient["send"]>[0]]>,
])[] = [
  ["no token", status.UNAUTHENTICATED, async () => [undefined, { node: NODE }]],
  ["a token that is none", status.UNAUTHENTICATED, async () => ["none", { node: NODE }]],
  [
    "a token for another audience",
    status.UNAUTHENTICATED,
    async () => [
      await createToken(scene.cluster.client, "istio-system", "ztunnel", ["vault"]),
      { node: NODE },
    ],
  ],
  ["no node", status.INVALID_ARGUMENT, async () => [scene.token, {}]],
  ["a node without id", status.INVALID_ARGUMENT, async () => [scene.token, { node: { id: "" } }]],
  [
    "a node of another namespace than the token's",
    status.PERMISSION_DENIED,
    async () => [await createToken(scene.cluster.client, "intruders", "ztunnel"), { node: NODE }],
  ],
  [
    "a service account in the metadata that is not the token's",
    status.PERMISSION_DENIED,
    async () => [
      scene.token,
      { node: { ...NODE, metadata: { ...(NODE.metadata as object), SERVICE_ACCOUNT: "root" } } },
    ],
  ],
];

for (const [name, code, open] of REFUSALS)
  test(`§3.8 refused with gRPC status ${code}: ${name}`, deadline, async () => {
    const [given, fields] = await open();
    const client = openStream(scene.plane, given);
    using _ = client;
    client.send({ typeUrl: ADDRESS, ...fields });
    assert.equal((await client.ended).code, code);
    assert.equal(client.responses.length, 0);
  });
