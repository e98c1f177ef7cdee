/**
 * The certificate service as a server (reference: protocol §3.7, §4.3): our CA, over a real API server with real tokens, asked by a
 * client that is Istio's ztunnel as far as it can tell. Requests are made, and answers judged, by openssl.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { create, fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { Server, type ServiceError, status } from "@grpc/grpc-js";
import { createInformer, type Informer, type KubernetesClient, PODS, type Pod } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTemporaryFolder, type TemporaryFolder } from "@meltemi/testkit";
import { ca } from "@meltemi/wire";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../../components/control-plane/src/certificate-authority/certificate-authority.ts";
import { CERTIFICATE_POD_INDEXES } from "../../components/control-plane/src/certificate-authority/pod-view.ts";
import {
  createToken,
  quietLogger,
  startCluster,
  type TestCluster,
} from "../integration/control-plane.fixture.ts";
import { callMetadata, openChannel, type Target } from "./foreign-ads-client.fixture.ts";
import { ISTIOD_HOSTNAME } from "./foreign-istiod.fixture.ts";

const ISTIO = "istio-system";
const DAY_S = 86_400;
const WORKLOAD = "spiffe://cluster.local/ns/default/sa/client";
const deps = { clock: systemClock, random: Math.random, randomBytes, log: quietLogger() };

let folder: TemporaryFolder;
let cluster: TestCluster;
let pods: Informer<Pod>;
let authority: CertificateAuthority;
let server: Server;
let target: Target;
let ztunnel: string;
let csr: string;

before(async () => {
  folder = await createTemporaryFolder("ca-server");
  cluster = await startCluster();
  const { client } = cluster;
  await createToken(client, ISTIO, "ztunnel");
  ztunnel = await podToken(client, "ztunnel-a", "node-a");
  for (const account of ["client", "far"]) await createToken(client, "default", account);
  await pod(client, "default", "client-1", "client", "node-a");
  await pod(client, "default", "far-1", "far", "node-b");
  pods = createInformer(client, PODS, { indexes: CERTIFICATE_POD_INDEXES }, deps);
  authority = createCertificateAuthority(
    {
      namespace: ISTIO,
      trustDomain: "cluster.local",
      clusterId: "Kubernetes",
      trustedNodeAccounts: [{ namespace: ISTIO, serviceAccount: "ztunnel" }],
      serverNames: [ISTIOD_HOSTNAME],
    },
    { ...deps, client, pods, registry: createRegistry() },
  );
  let rootPem = "";
  authority.onRootBundle((pem) => {
    rootPem = pem;
  });
  await Promise.all([authority.ready, pods.synced]);
  server = new Server();
  server.addService(authority.service.definition, authority.service.implementation);
  const securePort = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", authority.serverCredentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
  target = { securePort, rootPem };
  csr = request("/");
});
after(async () => {
  server?.forceShutdown();
  await authority?.[Symbol.asyncDispose]();
  pods?.stop();
  await cluster?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

async function pod(
  client: KubernetesClient,
  namespace: string,
  name: string,
  account: string,
  node: string,
): Promise<Pod> {
  const containers = [{ name: "app", image: "app" }];
  const spec = { nodeName: node, serviceAccountName: account, containers };
  return await client.create(PODS, { metadata: { namespace, name }, spec });
}

/** A pod of ztunnel and a token bound to it, as the kubelet projects it. */
async function podToken(client: KubernetesClient, name: string, node: string): Promise<string> {
  const { metadata } = await pod(client, ISTIO, name, "ztunnel", node);
  const boundTo = { kind: "Pod", name, ...(metadata?.uid !== undefined && { uid: metadata.uid }) } as const;
  return (
    await client.createToken({ namespace: ISTIO, name: "ztunnel" }, { audiences: ["istio-ca"], boundTo })
  ).token;
}

function openssl(...args: readonly string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** By openssl: a new P-256 key, the subject, and whatever names the requester would like to have. */
function request(subject: string, names = `critical,URI:${WORKLOAD}`): string {
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    folder.file("key"),
  ];
  return openssl("req", "-new", ...key, "-subj", subject, "-addext", `subjectAltName=${names}`);
}

interface Asked {
  readonly token?: string | undefined;
  readonly csr?: string;
  readonly validitySeconds?: number;
  readonly metadata?: JsonObject;
  readonly clusterId?: string;
}

async function ask(asked: Asked): Promise<string[]> {
  const client = openChannel(target);
  const message = create(ca.IstioCertificateRequestSchema, {
    csr: asked.csr ?? csr,
    validityDuration: BigInt(asked.validitySeconds ?? DAY_S),
    ...(asked.metadata && { metadata: asked.metadata }),
  });
  const metadata = callMetadata("token" in asked ? asked.token : ztunnel, asked.clusterId);
  try {
    return await new Promise<string[]>((resolve, reject) => {
      client.makeUnaryRequest(
        "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        (value: typeof message) => Buffer.from(toBinary(ca.IstioCertificateRequestSchema, value)),
        (bytes: Buffer) => fromBinary(ca.IstioCertificateResponseSchema, bytes).certChain,
        message,
        metadata,
        (error, chain) => (error === null ? resolve(chain ?? []) : reject(error)),
      );
    });
  } finally {
    client.close();
  }
}

const impersonating = (identity: unknown): JsonObject => ({ ImpersonatedIdentity: identity as string });

/** Leaf first, the roots last; what openssl says of the leaf. */
async function issued(asked: Asked): Promise<{ chain: string[]; leaf: X509Certificate; text: string }> {
  const chain = await ask(asked);
  const leaf = new X509Certificate(chain[0] ?? "");
  writeFileSync(folder.file("leaf.pem"), chain[0] ?? "");
  writeFileSync(folder.file("middle.pem"), chain.slice(1, -1).join(""));
  writeFileSync(folder.file("root.pem"), chain.at(-1) ?? "");
  const untrusted = chain.length > 2 ? ["-untrusted", folder.file("middle.pem")] : [];
  openssl("verify", "-CAfile", folder.file("root.pem"), ...untrusted, folder.file("leaf.pem"));
  return { chain, leaf, text: openssl("x509", "-in", folder.file("leaf.pem"), "-noout", "-text") };
}

test("§3.7, §4.3 for a workload of the node: the chain from leaf to roots, and the leaf as istiod's", async () => {
  const { chain, leaf, text } = await issued({ metadata: impersonating(WORKLOAD) });
  assert.equal(chain.at(-1), target.rootPem, "the last element is the root bundle");
  assert.equal(leaf.subjectAltName, `URI:${WORKLOAD}`);
  assert.match(text, /X509v3 Subject Alternative Name: critical/, "the subject is empty");
  assert.match(text, /Subject: *\n/);
  assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Key Encipherment/);
  assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
  assert.match(text, /X509v3 Basic Constraints: critical\s+CA:FALSE/);
  const lifeMs = Date.parse(leaf.validTo) - Date.parse(leaf.validFrom);
  assert.equal(Math.round(lifeMs / 1000), DAY_S + 120, "two minutes for clocks that are behind");
});

test("§4.3 without impersonation: the caller's own identity, whatever the request wishes to be called", async () => {
  const token = await createToken(cluster.client, "default", "client");
  const wish = request(
    "/CN=root",
    "URI:spiffe://cluster.local/ns/kube-system/sa/admin,DNS:istiod.istio-system.svc",
  );
  const { leaf } = await issued({ token, csr: wish });
  assert.equal(leaf.subjectAltName, `URI:${WORKLOAD}`);
  assert.doesNotMatch(leaf.subject ?? "", /root/);
});

test("§4.3 validity: as asked, a day when it is not said, and none beyond 90 days", async () => {
  const metadata = impersonating(WORKLOAD);
  const lifeOf = async (validitySeconds: number): Promise<number> => {
    const { leaf } = await issued({ metadata, validitySeconds });
    return Math.round((Date.parse(leaf.validTo) - Date.now()) / 60_000);
  };
  assert.equal(await lifeOf(3600), 60);
  assert.equal(await lifeOf(0), 24 * 60);
  assert.equal(await lifeOf(-5), 24 * 60);
  await assert.rejects(ask({ metadata, validitySeconds: 91 * DAY_S }), { code: status.INVALID_ARGUMENT });
});

test("§4.3 the key is the requester's, of any kind that Istio takes", async () => {
  for (const key of [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]]) {
    const made = openssl(
      "req",
      "-new",
      "-newkey",
      ...key,
      "-nodes",
      "-keyout",
      folder.file("key"),
      "-subj",
      "/",
    );
    const { leaf } = await issued({ csr: made, metadata: impersonating(WORKLOAD) });
    const publicKey = openssl("pkey", "-in", folder.file("key"), "-pubout");
    assert.equal(leaf.publicKey.export({ type: "spki", format: "pem" }), publicKey);
  }
});

const OPAQUE = "request impersonation authentication failure";
const UNKNOWN = "request authenticate failure";

const REFUSALS: readonly (readonly [
  name: string,
  code: number,
  details: string | RegExp,
  () => Promise<Asked> | Asked,
])[] = [
  ["no token", status.UNAUTHENTICATED, UNKNOWN, () => ({ token: undefined })],
  ["a token that is none", status.UNAUTHENTICATED, UNKNOWN, () => ({ token: "none" })],
  [
    "a token for another audience",
    status.UNAUTHENTICATED,
    UNKNOWN,
    async () => ({ token: await createToken(cluster.client, ISTIO, "ztunnel", ["vault"]) }),
  ],
  ["a cluster that is not known", status.UNAUTHENTICATED, UNKNOWN, () => ({ clusterId: "elsewhere" })],
  [
    "a workload of another node",
    status.UNAUTHENTICATED,
    OPAQUE,
    () => ({ metadata: impersonating("spiffe://cluster.local/ns/default/sa/far") }),
  ],
  [
    "a workload that nobody is",
    status.UNAUTHENTICATED,
    OPAQUE,
    () => ({ metadata: impersonating("spiffe://cluster.local/ns/default/sa/nobody") }),
  ],
  [
    "an identity that is no SPIFFE id",
    status.UNAUTHENTICATED,
    OPAQUE,
    () => ({ metadata: impersonating("client") }),
  ],
  [
    "somebody who is no ztunnel, for another",
    status.UNAUTHENTICATED,
    OPAQUE,
    async () => ({
      token: await createToken(cluster.client, "default", "client"),
      metadata: impersonating("spiffe://cluster.local/ns/default/sa/far"),
    }),
  ],
  [
    "a token of ztunnel that is bound to no pod",
    status.UNAUTHENTICATED,
    OPAQUE,
    async () => ({
      token: await createToken(cluster.client, ISTIO, "ztunnel"),
      metadata: impersonating(WORKLOAD),
    }),
  ],
  [
    "no certificate signing request",
    status.INVALID_ARGUMENT,
    /^CSR signing error/,
    () => ({ csr: "", metadata: impersonating(WORKLOAD) }),
  ],
  [
    "a request whose signature is another's",
    status.INVALID_ARGUMENT,
    /^CSR signing error/,
    () => ({ csr: forged(), metadata: impersonating(WORKLOAD) }),
  ],
];

/** The last bytes of a request are its signature. */
function forged(): string {
  const der = Buffer.from(csr.replace(/-----.*-----|\s/g, ""), "base64");
  der[der.length - 3] = (der[der.length - 3] ?? 0) ^ 0x55;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}

for (const [name, code, details, asked] of REFUSALS)
  test(`§4.3 refused with gRPC status ${code}: ${name}`, async () => {
    const error = (await ask(await asked()).then(
      () => undefined,
      (reason: unknown) => reason,
    )) as ServiceError | undefined;
    assert.equal(error?.code, code);
    if (typeof details === "string") assert.equal(error?.details, details);
    else assert.match(error?.details ?? "", details);
  });
