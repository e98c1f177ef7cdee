import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, Server, type ServiceError, status } from "@grpc/grpc-js";
import { createCertificateClient, createCertificateSigningRequest } from "@meltemi/identity";
import {
  createInformer,
  type Informer,
  NAMESPACES,
  PODS,
  type Pod,
  SECRETS,
  type TokenVerdict,
} from "@meltemi/kubernetes";
import { type Identity, parseIdentity } from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { eventually } from "@meltemi/testkit";
import { ca } from "@meltemi/wire";
import { type CertificateAuthority, createCertificateAuthority } from "./certificate-authority.ts";
import { createMemoryApi } from "./memory-api.testing.ts";
import { ROOT_CERTIFICATES, startNamespacePublisher } from "./namespace-publisher.ts";
import { CERTIFICATE_POD_INDEXES } from "./pod-view.ts";

/** The whole CA behind a real gRPC server with real TLS; only the API server is in memory. */
const api = createMemoryApi();
const lines: string[] = [];
const log = createLogger(
  {
    filter: new LogFilter("debug"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => void lines.push(line),
  },
  "ca",
);
const random = Math.random;
const registry = createRegistry();
const client = parseIdentity("spiffe://cluster.local/ns/default/sa/client") as Identity;
let pods: Informer<Pod>;
let authority: CertificateAuthority;
let server: Server;
let port = 0;
let rootPem = "";

before(async () => {
  await api.create(PODS, pod("istio-system", "ztunnel-a", "ztunnel", "node-a"));
  await api.create(PODS, pod("istio-system", "ztunnel-b", "ztunnel", "node-b"));
  await api.create(PODS, pod("default", "client-1", "client", "node-a"));
  api.tokens.set("ztunnel-a", verdict("istio-system", "ztunnel", "ztunnel-a"));
  api.tokens.set("ztunnel-b", verdict("istio-system", "ztunnel", "ztunnel-b"));
  api.tokens.set("client", verdict("default", "client", "client-1"));
  api.tokens.set("for-others", {
    ...verdict("istio-system", "ztunnel", "ztunnel-a"),
    audiences: ["https://kubernetes.default.svc"],
  } as TokenVerdict);
  api.tokens.set("user", {
    ...verdict("istio-system", "ztunnel", "ztunnel-a"),
    username: "jane",
  } as TokenVerdict);
  pods = createInformer(api, PODS, { indexes: CERTIFICATE_POD_INDEXES }, { clock: systemClock, random, log });
  authority = createCertificateAuthority(
    {
      namespace: "istio-system",
      trustDomain: "cluster.local",
      clusterId: "Kubernetes",
      trustedNodeAccounts: [{ namespace: "istio-system", serviceAccount: "ztunnel" }],
      serverNames: ["istiod.istio-system.svc"],
      admission: { requestsPerSecond: 1, burst: 40, maxPending: 50 },
    },
    { client: api as never, pods, clock: systemClock, random, randomBytes, log, registry },
  );
  authority.onRootBundle((pem) => {
    rootPem = pem;
  });
  await authority.ready;
  await pods.synced;
  server = new Server();
  server.addService(authority.service.definition, authority.service.implementation);
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", authority.serverCredentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
});
after(async () => {
  server.forceShutdown();
  pods.stop();
  await authority[Symbol.asyncDispose]();
});

function ztunnel(token: string, clusterId = "Kubernetes"): ReturnType<typeof createCertificateClient> {
  return createCertificateClient(
    {
      address: `https://127.0.0.1:${port}`,
      roots: { kind: "literal", text: rootPem },
      serverName: "istiod.istio-system.svc",
      token: { kind: "literal", text: token },
      clusterId,
      ttlSeconds: 3600,
      impersonate: token.startsWith("ztunnel"),
    },
    { clock: systemClock },
  );
}

test("ztunnel gets a certificate of a workload on its node, over the CA's own TLS", async () => {
  using asking = ztunnel("ztunnel-a");
  const got = await asking.fetch(client);
  assert.deepEqual(got.leaf.names.uris, ["spiffe://cluster.local/ns/default/sa/client"]);
  assert.equal(got.leaf.keyUsage, 0x05);
  assert.ok(Math.abs(got.notAfterMs - Date.now() - 3_600_000) < 60_000);
});

test("a workload gets its own certificate with its own token", async () => {
  using asking = ztunnel("client");
  assert.equal((await asking.fetch(client)).identity, client);
});

const OPAQUE = /UNAUTHENTICATED: request impersonation authentication failure$/;
const AUTHENTICATE = /UNAUTHENTICATED: request authenticate failure$/;
const refusals = [
  {
    name: "a workload of another node",
    token: "ztunnel-b",
    identity: "spiffe://cluster.local/ns/default/sa/client",
    why: OPAQUE,
    log: "no-such-workload-on-node",
  },
  {
    name: "a foreign trust domain",
    token: "ztunnel-a",
    identity: "spiffe://evil/ns/default/sa/client",
    why: OPAQUE,
    log: "impersonation-foreign-trust-domain",
  },
  {
    name: "an unknown token",
    token: "ztunnel-forged",
    identity: "spiffe://cluster.local/ns/default/sa/client",
    why: AUTHENTICATE,
    log: "unknown token",
  },
  {
    name: "a token for another audience",
    token: "for-others",
    identity: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    why: AUTHENTICATE,
    log: "token is for https://kubernetes.default.svc",
  },
  {
    name: "a user",
    token: "user",
    identity: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    why: AUTHENTICATE,
    log: "jane is no service account",
  },
  {
    name: "another cluster",
    token: "ztunnel-a",
    cluster: "east",
    identity: "spiffe://cluster.local/ns/default/sa/client",
    why: AUTHENTICATE,
    log: "",
  },
] as const;
for (const c of refusals)
  test(`refused: ${c.name}`, async () => {
    using asking = ztunnel(c.token, "cluster" in c ? c.cluster : undefined);
    await assert.rejects(asking.fetch(parseIdentity(c.identity) as Identity), c.why);
    assert.ok(
      lines.some((line) => line.includes(c.log)),
      "our log knows why",
    );
  });

test("malformed requests are answered with why, and the token never reaches the log", async () => {
  const good = createCertificateSigningRequest(client).pem;
  const cases = [
    { csr: "", code: status.INVALID_ARGUMENT },
    { csr: good.replace("CERTIFICATE REQUEST", "X"), code: status.INVALID_ARGUMENT },
    { csr: good, seconds: 99_999_999n, code: status.INVALID_ARGUMENT },
    { csr: good, metadata: { CertSigner: "corp" }, code: status.INVALID_ARGUMENT },
    { csr: good, metadata: { ImpersonatedIdentity: ["a"] }, code: status.UNAUTHENTICATED },
    { csr: "x".repeat(5_000_000), code: status.RESOURCE_EXHAUSTED },
  ];
  for (const { csr, seconds, metadata, code } of cases) {
    const error = await rawCall("client", {
      csr,
      validityDuration: seconds ?? 0n,
      ...(metadata && { metadata }),
    });
    assert.equal(error?.code, code, error?.details);
  }
  assert.ok(!lines.join().includes("Bearer"));
});

test("one client that asks without end is told to slow down, others are served", async () => {
  using asking = ztunnel("ztunnel-a");
  const results = await Promise.allSettled(Array.from({ length: 45 }, () => asking.fetch(client)));
  const failed = results
    .filter((result) => result.status === "rejected")
    .map((result) => String(result.reason));
  assert.ok(
    failed.length > 0 &&
      failed.every((text) => text.includes("RESOURCE_EXHAUSTED: too many certificate requests")),
  );
  using other = ztunnel("client");
  assert.ok(await other.fetch(client));
});

test("a token is reviewed once for many requests", () => {
  assert.ok(api.reviews < 12, `${api.reviews} reviews`);
});

test("metrics count what happened under Istio's names", () => {
  const text = registry.exposition(undefined).body;
  assert.match(text, /^citadel_server_csr_count_total \d+$/m);
  assert.match(text, /^citadel_server_success_cert_issuance_count_total \d+$/m);
  assert.match(text, /^meltemi_certificate_refusals_total\{reason="no-such-workload-on-node"\} 1$/m);
  assert.match(text, /^meltemi_certificate_authority_material_refused 0$/m);
});

test("the roots reach every namespace, and edits and deletions are mended", async () => {
  for (const name of ["default", "istio-system"]) await api.create(NAMESPACES, { metadata: { name } });
  await api.create(NAMESPACES, { metadata: { name: "leaving", deletionTimestamp: "2026-01-01T00:00:00Z" } });
  await using _ = startNamespacePublisher([{ ...ROOT_CERTIFICATES, onText: authority.onRootBundle }], {
    client: api,
    clock: systemClock,
    random,
    log,
  });
  const type = {
    group: "",
    version: "v1",
    plural: "configmaps",
    kind: "ConfigMap",
    namespaced: true,
  } as const;
  const map = (
    namespace: string,
  ): { data?: Record<string, string>; metadata?: { labels?: Record<string, string> } } | undefined =>
    api.get(type, `${namespace}/istio-ca-root-cert`);
  const right = (namespace: string): boolean =>
    map(namespace)?.data?.["root-cert.pem"] === rootPem &&
    map(namespace)?.metadata?.labels?.["istio.io/config"] === "true";
  await eventually(() => right("default") && right("istio-system"));
  await api.create(NAMESPACES, { metadata: { name: "late" } });
  await eventually(() => right("late"));
  api.remove(type, "late/istio-ca-root-cert");
  await eventually(() => right("late"));
  const edited = {
    metadata: { name: "istio-ca-root-cert", namespace: "default", labels: { own: "kept" } },
    data: { "root-cert.pem": "evil", other: "kept" },
  };
  await api.replace(type, edited);
  await eventually(() => right("default"));
  assert.deepEqual(
    [map("default")?.data?.["other"], map("default")?.metadata?.labels?.["own"]],
    ["kept", "kept"],
  );
  assert.equal(map("leaving"), undefined);
  assert.ok(api.get(SECRETS, "istio-system/istio-ca-secret"));
});

async function rawCall(token: string, request: object): Promise<ServiceError | null> {
  const channel = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(rootPem)), {
    "grpc.ssl_target_name_override": "istiod.istio-system.svc",
    "grpc.max_send_message_length": -1,
  });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const message = create(ca.IstioCertificateRequestSchema, request);
  try {
    return await new Promise((resolve) =>
      channel.makeUnaryRequest(
        "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        (value: typeof message) => Buffer.from(toBinary(ca.IstioCertificateRequestSchema, value)),
        (bytes: Buffer) => fromBinary(ca.IstioCertificateResponseSchema, bytes),
        message,
        metadata,
        (error) => resolve(error),
      ),
    );
  } finally {
    channel.close();
  }
}

function pod(namespace: string, name: string, serviceAccountName: string, nodeName: string): Pod {
  return {
    metadata: { name, namespace, uid: `uid-${name}` },
    spec: { nodeName, serviceAccountName, containers: [] },
    status: { phase: "Running" },
  };
}

function verdict(namespace: string, account: string, podName: string): TokenVerdict {
  return {
    kind: "authenticated",
    username: `system:serviceaccount:${namespace}:${account}`,
    uid: "x",
    groups: [],
    audiences: ["istio-ca"],
    extra: new Map([
      ["authentication.kubernetes.io/pod-name", [podName]],
      ["authentication.kubernetes.io/pod-uid", [`uid-${podName}`]],
    ]),
  };
}
