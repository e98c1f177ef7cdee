/** Two control planes, as processes, over one API server: one root, one leader, and nothing lost when one of them dies. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { certificatePem, createCertificateClient } from "@meltemi/identity";
import {
  AUTHORIZATION_POLICIES,
  type Condition,
  DEPLOYMENTS,
  GATEWAYS,
  type KubernetesClient,
  LEASES,
  SECRETS,
} from "@meltemi/kubernetes";
import { parseIdentity } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { startAuthorityKeeper } from "../../components/control-plane/src/certificate-authority/authority-keeper.ts";
import {
  createToken,
  ensureNamespace,
  quietLogger,
  startCluster,
  subscribe,
  type TestCluster,
} from "./control-plane.fixture.ts";
import { isServing, type Replica, startReplica } from "./control-plane-process.fixture.ts";

const ISTIO = "istio-system";
const STATUS_LEASE = { namespace: ISTIO, name: "istio-status-leader" };
const DEPLOYER_LEASE = { namespace: ISTIO, name: "istio-gateway-deployment-default" };
/** A lease of 15 s, as long to see that it stands still, and the pauses between looks. */
const TAKE_OVER_MS = 45_000;

/** What a Service is to its clients: a connection to whichever replica takes it. */
async function startService(
  replicas: readonly Replica[],
): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    const dial = ([first, ...others]: readonly Replica[]): void => {
      if (first === undefined) return void client.destroy();
      const upstream = connect(first.securePort, "127.0.0.1");
      upstream.once("connect", () => void client.pipe(upstream).pipe(client));
      upstream.on("error", () => (upstream.bytesRead > 0 ? client.destroy() : dial(others)));
      upstream.on("close", (failed) => failed || client.destroy());
      client.on("close", () => upstream.destroy());
    };
    dial(replicas);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

async function holderOf(client: KubernetesClient, lease: typeof STATUS_LEASE): Promise<string> {
  return (await client.get(LEASES, lease))?.spec?.holderIdentity ?? "";
}

async function createPolicy(client: KubernetesClient, name: string): Promise<void> {
  const spec = { action: "DENY", rules: [{ to: [{ operation: { ports: ["8080"] } }] }] };
  await client.create(AUTHORIZATION_POLICIES, { metadata: { namespace: "apps", name }, spec });
}

async function isAccepted(client: KubernetesClient, name: string): Promise<boolean> {
  const found = await client.get(AUTHORIZATION_POLICIES, { namespace: "apps", name });
  const { conditions = [] } = (found?.status ?? {}) as { readonly conditions?: readonly Condition[] };
  return conditions.some(({ type, status }) => type === "ZtunnelAccepted" && status === "True");
}

async function createWaypoint(client: KubernetesClient, name: string): Promise<void> {
  const listeners = [{ name: "mesh", port: 15008, protocol: "HBONE" }];
  await client.create(GATEWAYS, {
    metadata: { namespace: "apps", name },
    spec: { gatewayClassName: "istio-waypoint", listeners },
  });
}

async function rootOf({ client }: TestCluster): Promise<string> {
  const secret = await client.get(SECRETS, { namespace: ISTIO, name: "istio-ca-secret" });
  return Buffer.from(secret?.data?.["root-cert.pem"] ?? "", "base64").toString();
}

/** A certificate for the token's own account; rejects when none is given. */
async function fetchRoot(port: number, rootPem: string, token: string): Promise<string | undefined> {
  const identity = parseIdentity(`spiffe://cluster.local/ns/${ISTIO}/sa/ztunnel`);
  assert.ok(identity);
  using certificates = createCertificateClient(
    {
      address: `https://127.0.0.1:${port}`,
      roots: { kind: "literal", text: rootPem },
      serverName: "istiod.istio-system.svc",
      token: { kind: "literal", text: token },
      clusterId: "Kubernetes",
      ttlSeconds: 3600,
      impersonate: false,
    },
    { clock: systemClock },
  );
  const [root] = (await certificates.fetch(identity)).roots;
  return root && certificatePem(root);
}

test("both serve, one leads; the other takes over, and clients lose nothing", {
  timeout: 180_000,
}, async () => {
  await using folder = await createTemporaryFolder();
  await using cluster = await startCluster();
  const { client } = cluster;
  const token = await createToken(client, ISTIO, "ztunnel");
  await ensureNamespace(client, "apps");
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
  await using a = await startReplica("istiod-a", kubeconfig);
  await using b = await startReplica("istiod-b", kubeconfig);
  await eventually(() => [a, b].every(isServing), { deadlineMs: 30_000 });

  // One root for both: each shows a certificate that the same bundle vouches for.
  const rootPem = await rootOf(cluster);
  await createPolicy(client, "first");
  for (const { securePort } of [a, b]) {
    assert.equal(await fetchRoot(securePort, rootPem, token), rootPem);
    await using direct = subscribe({ securePort, rootPem }, token);
    await eventually(() => direct.held.has("apps/first"), { deadlineMs: 10_000 });
  }
  await eventually(() => isAccepted(client, "first"), { deadlineMs: 10_000 });
  const leads = async (): Promise<string> =>
    (await holderOf(client, STATUS_LEASE)).slice(0, "istiod-a".length);
  const first = await leads();
  const [leader, other] = first === "istiod-a" ? [a, b] : [b, a];
  assert.equal(first, leader.name);
  const became = `became leader\tlease="${STATUS_LEASE.name}"`;
  assert.ok(leader.output().includes(became), leader.output());
  assert.ok(!other.output().includes(became), other.output());

  await using service = await startService([leader, other]);
  await using subscriber = subscribe({ securePort: service.port, rootPem }, token);
  await eventually(() => subscriber.held.has("apps/first"), { deadlineMs: 10_000 });

  leader.process.kill("SIGKILL");
  await leader.ended;
  // Nobody leads for some seconds; what is enforced goes on changing all the same.
  await createPolicy(client, "second");
  await createWaypoint(client, "late");
  await eventually(() => subscriber.held.has("apps/second"), { deadlineMs: 20_000 });
  assert.equal(await fetchRoot(service.port, rootPem, token), rootPem);
  assert.ok(subscriber.held.has("apps/first"), "a reconnect takes nothing away");
  assert.ok(subscriber.updates.every(({ removedNames }) => removedNames.length === 0));
  await eventually(() => isAccepted(client, "second"), { deadlineMs: TAKE_OVER_MS });
  await eventually(() => client.get(DEPLOYMENTS, { namespace: "apps", name: "late" }), {
    deadlineMs: TAKE_OVER_MS,
  });
  assert.equal(await leads(), other.name);
  assert.equal(await rootOf(cluster), rootPem);
});

test("SIGTERM gives the leases back at once", { timeout: 120_000 }, async () => {
  await using folder = await createTemporaryFolder();
  await using cluster = await startCluster();
  const { client } = cluster;
  await ensureNamespace(client, ISTIO);
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
  await using replica = await startReplica("istiod-a", kubeconfig);
  for (const lease of [STATUS_LEASE, DEPLOYER_LEASE])
    await eventually(async () => (await holderOf(client, lease)).startsWith("istiod-a"), {
      deadlineMs: 30_000,
    });
  replica.process.kill("SIGTERM");
  assert.equal(await replica.ended, 0, replica.output());
  for (const lease of [STATUS_LEASE, DEPLOYER_LEASE]) assert.equal(await holderOf(client, lease), "");
});

test("replicas that start at the same moment end with one root, every time", {
  timeout: 120_000,
}, async () => {
  await using cluster = await startCluster();
  const { client } = cluster;
  const deps = { client, clock: systemClock, random: Math.random, randomBytes, log: quietLogger() };
  for (let round = 0; round < 20; round++) {
    const namespace = `mesh-${round}`;
    await ensureNamespace(client, namespace);
    const options = { namespace, organization: "cluster.local", revocationLists: false };
    const keepers = [1, 2, 3].map(() => startAuthorityKeeper(options, deps));
    const roots = await Promise.all(keepers.map(async ({ ready }) => (await ready).rootBundlePem));
    assert.equal(new Set(roots).size, 1, `round ${round}`);
    for (const keeper of keepers) await keeper[Symbol.asyncDispose]();
  }
});
