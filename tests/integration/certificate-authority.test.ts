/** The CA against a real API server: Secrets, tokens bound to pods, TokenReview, and clients as ztunnel is one. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { Server } from "@grpc/grpc-js";
import {
  type CertificateClient,
  certificatePem,
  createCertificateClient,
  createCertificateManager,
  type WorkloadCertificate,
} from "@meltemi/identity";
import {
  CONFIG_MAPS,
  createInformer,
  type Informer,
  type KubernetesClient,
  PODS,
  type Pod,
  SECRETS,
} from "@meltemi/kubernetes";
import { type Identity, parseIdentity } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../../components/control-plane/src/certificate-authority/certificate-authority.ts";
import {
  ROOT_CERTIFICATES,
  startNamespacePublisher,
} from "../../components/control-plane/src/certificate-authority/namespace-publisher.ts";
import { CERTIFICATE_POD_INDEXES } from "../../components/control-plane/src/certificate-authority/pod-view.ts";
import {
  createToken,
  ensureNamespace,
  quietLogger,
  startCluster,
  type TestCluster,
  uniqueName,
} from "./control-plane.fixture.ts";

const ISTIO = "istio-system";
const deps = { clock: systemClock, random: Math.random, randomBytes, log: quietLogger() };
const identity = (namespace: string, account: string, trustDomain = "cluster.local"): Identity =>
  parseIdentity(`spiffe://${trustDomain}/ns/${namespace}/sa/${account}`) as Identity;

/** One replica of the control plane's CA with its gRPC door. */
interface Replica extends AsyncDisposable {
  readonly authority: CertificateAuthority;
  readonly port: number;
  readonly rootPem: string;
}

let folder: TemporaryFolder;
let cluster: TestCluster;
let pods: Informer<Pod>;
let first: Replica;
let second: Replica;
let tokens: {
  readonly a: string;
  readonly b: string;
  readonly otherAudience: string;
  readonly unbound: string;
};

before(async () => {
  folder = await createTemporaryFolder("certificate-authority");
  cluster = await startCluster(folder.file("state.db"));
  const { client } = cluster;
  await ensureNamespace(client, ISTIO);
  tokens = {
    unbound: await createToken(client, ISTIO, "ztunnel"),
    otherAudience: await boundToken(client, "ztunnel-x", "node-a", ["vault"]),
    a: await boundToken(client, "ztunnel-a", "node-a"),
    b: await boundToken(client, "ztunnel-b", "node-b"),
  };
  await createToken(client, "default", "client");
  await createPod(client, "default", "client-1", "client", "node-a");
  pods = createInformer(client, PODS, { indexes: CERTIFICATE_POD_INDEXES }, deps);
  [first, second] = await Promise.all([startReplica(client), startReplica(client)]);
});
after(async () => {
  await first?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
  pods?.stop();
  await cluster?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

test("replicas that start together share one root, kept in one Secret", async () => {
  assert.equal(first.rootPem, second.rootPem);
  const secret = await cluster.client.get(SECRETS, { namespace: ISTIO, name: "istio-ca-secret" });
  assert.deepEqual(Object.keys(secret?.data ?? {}).sort(), [
    "ca-cert.pem",
    "ca-key.pem",
    "cert-chain.pem",
    "root-cert.pem",
  ]);
  assert.equal(Buffer.from(secret?.data?.["root-cert.pem"] ?? "", "base64").toString(), first.rootPem);
});

test("a node's proxy gets the certificates of its node's workloads from either replica, and they trust each other", async () => {
  const got: WorkloadCertificate[] = [];
  for (const replica of [first, second]) {
    using ztunnel = asking(replica, tokens.a);
    got.push(
      await ztunnel.fetch(identity("default", "client")),
      await ztunnel.fetch(identity(ISTIO, "ztunnel")),
    );
  }
  assert.equal(new Set(got.map((one) => one.leaf.serialNumber)).size, 4);
  assert.equal(new Set(got.map((one) => Buffer.from(one.roots[0]?.der ?? []).toString("base64"))).size, 1);
});

const OPAQUE = /UNAUTHENTICATED: request impersonation authentication failure$/;
const UNKNOWN = /UNAUTHENTICATED: request authenticate failure$/;
const refusals: readonly { name: string; token: () => string; identity: Identity; why: RegExp }[] = [
  {
    name: "a workload of another node",
    token: () => tokens.b,
    identity: identity("default", "client"),
    why: OPAQUE,
  },
  {
    name: "a foreign trust domain",
    token: () => tokens.a,
    identity: identity("default", "client", "evil"),
    why: OPAQUE,
  },
  {
    name: "an account without a pod",
    token: () => tokens.a,
    identity: identity("default", "default"),
    why: OPAQUE,
  },
  {
    name: "a token bound to no pod",
    token: () => tokens.unbound,
    identity: identity("default", "client"),
    why: OPAQUE,
  },
  {
    name: "a token for another audience",
    token: () => tokens.otherAudience,
    identity: identity(ISTIO, "ztunnel"),
    why: UNKNOWN,
  },
  {
    name: "a token with a changed signature",
    token: () => `${tokens.a.slice(0, -4)}AAAA`,
    identity: identity("default", "client"),
    why: UNKNOWN,
  },
  {
    name: "no token worth the name",
    token: () => "x",
    identity: identity("default", "client"),
    why: UNKNOWN,
  },
];
for (const c of refusals)
  test(`refused: ${c.name}`, async () => {
    using ztunnel = asking(first, c.token());
    await assert.rejects(ztunnel.fetch(c.identity), c.why);
  });

test("a token dies with its pod", async () => {
  const token = await boundToken(cluster.client, "ztunnel-gone", "node-a");
  await cluster.client.delete(PODS, { namespace: ISTIO, name: "ztunnel-gone" }, { gracePeriodSeconds: 0 });
  await eventually(
    async () => (await cluster.client.get(PODS, { namespace: ISTIO, name: "ztunnel-gone" })) === undefined,
  );
  using ztunnel = asking(first, token);
  await assert.rejects(ztunnel.fetch(identity("default", "client")), /UNAUTHENTICATED/);
});

test("a workload that comes to the node is certified, and no longer when it has gone", async () => {
  const { client } = cluster;
  await createToken(client, "default", "late");
  using ztunnel = asking(first, tokens.a);
  await assert.rejects(ztunnel.fetch(identity("default", "late")), OPAQUE);
  await createPod(client, "default", "late-1", "late", "node-a");
  await eventually(() => ztunnel.fetch(identity("default", "late")));
  await client.delete(PODS, { namespace: "default", name: "late-1" }, { gracePeriodSeconds: 0 });
  await eventually(() => assert.rejects(ztunnel.fetch(identity("default", "late")), OPAQUE).then(() => true));
});

test("the certificate manager and the CA together: warm-up, dump, and an identity that is refused", async () => {
  using ztunnel = asking(second, tokens.a);
  using manager = createCertificateManager(
    {},
    { ...deps, fetch: (who, signal) => ztunnel.fetch(who, signal) },
  );
  await manager.get(identity("default", "client"), "warmup");
  await assert.rejects(manager.get(identity("default", "nobody"), "realtime"), OPAQUE);
  assert.deepEqual(
    manager.states().map(({ state }) => state.split(":")[0]),
    ["Available", "Unavailable"],
  );
});

test("roots reach every namespace, and are put back", async () => {
  const { client } = cluster;
  const roots = { ...ROOT_CERTIFICATES, onText: first.authority.onRootBundle };
  await using _ = startNamespacePublisher([roots], { ...deps, client });
  const inPlace = async (namespace: string): Promise<boolean> => {
    const map = await client.get(CONFIG_MAPS, { namespace, name: "istio-ca-root-cert" });
    return (
      map?.data?.["root-cert.pem"] === first.rootPem && map.metadata?.labels?.["istio.io/config"] === "true"
    );
  };
  await eventually(() => inPlace("default"));
  await client.delete(CONFIG_MAPS, { namespace: "default", name: "istio-ca-root-cert" });
  await eventually(() => inPlace("default"));
  await ensureNamespace(client, "brand-new");
  await eventually(() => inPlace("brand-new"));
});

test("an API server that restarts changes nothing, and a deleted Secret is written back with the same key", async () => {
  const { client } = cluster;
  await cluster.restart();
  using ztunnel = asking(first, await eventually(() => boundToken(client, uniqueName("ztunnel"), "node-a")));
  const got = await eventually(() => ztunnel.fetch(identity("default", "client")));
  assert.equal(certificatePem(got.roots[0] ?? got.leaf), first.rootPem);
  const ref = { namespace: ISTIO, name: "istio-ca-secret" };
  const before = await client.get(SECRETS, ref);
  await client.delete(SECRETS, ref);
  const after = await eventually(() => client.get(SECRETS, ref), { deadlineMs: 30_000 });
  assert.deepEqual(after.data, before?.data);
  assert.notEqual(after.metadata?.uid, before?.metadata?.uid);
});

async function startReplica(client: KubernetesClient): Promise<Replica> {
  const authority = createCertificateAuthority(
    {
      namespace: ISTIO,
      trustDomain: "cluster.local",
      clusterId: "Kubernetes",
      trustedNodeAccounts: [{ namespace: ISTIO, serviceAccount: "ztunnel" }],
      serverNames: ["istiod.istio-system.svc"],
    },
    { ...deps, client, pods, registry: createRegistry() },
  );
  let rootPem = "";
  authority.onRootBundle((pem) => {
    rootPem = pem;
  });
  await Promise.all([authority.ready, pods.synced]);
  const server = new Server();
  server.addService(authority.service.definition, authority.service.implementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", authority.serverCredentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    authority,
    port,
    rootPem,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await authority[Symbol.asyncDispose]();
    },
  };
}

function asking(replica: Replica, token: string): CertificateClient {
  return createCertificateClient(
    {
      address: `https://127.0.0.1:${replica.port}`,
      roots: { kind: "literal", text: replica.rootPem },
      serverName: "istiod.istio-system.svc",
      token: { kind: "literal", text: token },
      clusterId: "Kubernetes",
      ttlSeconds: 3600,
      impersonate: true,
    },
    { clock: systemClock },
  );
}

async function createPod(
  client: KubernetesClient,
  namespace: string,
  name: string,
  serviceAccountName: string,
  nodeName: string,
): Promise<Pod> {
  const containers = [{ name: "app", image: "app" }];
  return await client.create(PODS, {
    metadata: { namespace, name },
    spec: { nodeName, serviceAccountName, containers },
  });
}

/** A ztunnel's pod and a token bound to it, as the kubelet projects it. */
async function boundToken(
  client: KubernetesClient,
  podName: string,
  node: string,
  audiences: readonly string[] = ["istio-ca"],
): Promise<string> {
  const pod = await createPod(client, ISTIO, podName, "ztunnel", node);
  const uid = pod.metadata?.uid;
  const boundTo = { kind: "Pod", name: podName, ...(uid !== undefined && { uid }) } as const;
  const { token } = await client.createToken({ namespace: ISTIO, name: "ztunnel" }, { audiences, boundTo });
  return token;
}
