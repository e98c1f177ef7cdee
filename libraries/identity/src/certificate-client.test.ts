import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { type Identity, parseIdentity } from "@meltemi/model";
import { type MeshError, systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, createTestAuthority, type TemporaryFolder } from "@meltemi/testkit";
import { ca } from "@meltemi/wire";
import { type CertificateClientOptions, createCertificateClient } from "./certificate-client.ts";
import {
  createCertificateSigningRequest,
  readCertificateSigningRequest,
} from "./certificate-signing-request.ts";
import { issueLeaf } from "./issue.ts";
import { writePem } from "./pem.ts";
import { certificatePem } from "./workload-certificate.ts";

const mesh = createTestAuthority();
const other = createTestAuthority();
const identity = parseIdentity("spiffe://cluster.local/ns/default/sa/client") as Identity;
const uri = "spiffe://cluster.local/ns/default/sa/client";

type Answer =
  | { readonly chain: readonly string[] }
  | { readonly code: status; readonly details: string }
  | "never";
interface Seen {
  readonly metadata: Metadata;
  readonly impersonated: unknown;
  readonly seconds: bigint;
}

let decide: (csr: string) => Answer;
let seen: Seen | undefined;
let port = 0;
let folder: TemporaryFolder;
let server: Server;

before(async () => {
  folder = await createTemporaryFolder("ca-client");
  await writeFile(folder.file("token"), "first-token\n");
  await writeFile(folder.file("root.pem"), mesh.rootPem);
  const pair = mesh.serverPem("istiod.istio-system.svc");
  server = caServer();
  const pairs = [{ private_key: Buffer.from(pair.key), cert_chain: Buffer.from(pair.cert) }];
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createSsl(null, pairs), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
});
after(async () => {
  server.forceShutdown();
  await folder[Symbol.asyncDispose]();
});

function options(changes: Partial<CertificateClientOptions> = {}): CertificateClientOptions {
  return {
    address: `https://127.0.0.1:${port}`,
    roots: { kind: "file", path: folder.file("root.pem") },
    serverName: "istiod.istio-system.svc",
    token: { kind: "file", path: folder.file("token") },
    clusterId: "Kubernetes",
    headers: new Map([["X-Extra", "yes"]]),
    ttlSeconds: 86_400,
    impersonate: true,
    ...changes,
  };
}

/** A leaf for the request's key, with faults to order. */
function leaf(csr: string, wish: { uris?: string[]; issuer?: typeof mesh; expired?: boolean } = {}): string {
  const request = readCertificateSigningRequest(csr);
  assert.ok(request.kind === "ok");
  const nowMs = Date.now();
  const fields = {
    publicKeySpki: request.value.publicKey.spki,
    names: { uris: wish.uris ?? [uri] },
    uses: ["serverAuth", "clientAuth"] as const,
    notBeforeMs: nowMs - (wish.expired ? 7_200_000 : 120_000),
    notAfterMs: nowMs + (wish.expired ? -3_600_000 : 3_600_000),
  };
  return writePem(issueLeaf((wish.issuer ?? mesh).issuer, fields, randomBytes), "CERTIFICATE");
}

test("a certificate is fetched as ztunnel fetches it: token, cluster, impersonation, lifetime", async () => {
  decide = (csr) => ({ chain: [leaf(csr), mesh.rootPem] });
  using client = createCertificateClient(options(), { clock: systemClock });
  const got = await client.fetch(identity);
  assert.deepEqual(got.leaf.names.uris, [uri]);
  assert.deepEqual([got.intermediates.length, got.roots.length], [0, 1]);
  assert.deepEqual(seen?.metadata.get("authorization"), ["Bearer first-token"]);
  assert.deepEqual(seen?.metadata.get("clusterid"), ["Kubernetes"]);
  assert.deepEqual(seen?.metadata.get("x-extra"), ["yes"]);
  assert.deepEqual([seen?.impersonated, seen?.seconds], [uri, 86_400n]);
  await writeFile(folder.file("token"), "second-token");
  const again = await client.fetch(identity);
  assert.deepEqual(
    seen?.metadata.get("authorization"),
    ["Bearer second-token"],
    "the token file is read every time",
  );
  assert.notDeepEqual(
    again.leaf.publicKeySpki,
    got.leaf.publicKeySpki,
    "every certificate has a key of its own",
  );
});

test("without impersonation no identity is named", async () => {
  decide = (csr) => ({ chain: [leaf(csr), mesh.rootPem] });
  using client = createCertificateClient(options({ impersonate: false }), { clock: systemClock });
  await client.fetch(identity);
  assert.equal(seen?.impersonated, undefined);
});

test("intermediates and several roots are told apart", async () => {
  const deep = createTestAuthority({ intermediates: 2 });
  const middle = deep.issue("default/x").intermediates.map(certificatePem);
  decide = (csr) => ({ chain: [leaf(csr, { issuer: deep }), ...middle, deep.rootPem + mesh.rootPem] });
  using client = createCertificateClient(options(), { clock: systemClock });
  const got = await client.fetch(identity);
  assert.deepEqual([got.intermediates.length, got.roots.length], [2, 2]);
});

const answers: readonly { name: string; answer: (csr: string) => Answer; code: string; why: RegExp }[] = [
  {
    name: "an empty chain",
    answer: () => ({ chain: [] }),
    code: "IDENTITY_INVALID",
    why: /response is empty/,
  },
  { name: "no root", answer: (csr) => ({ chain: [leaf(csr)] }), code: "IDENTITY_INVALID", why: /no root/ },
  {
    name: "another identity",
    answer: (csr) => ({
      chain: [leaf(csr, { uris: ["spiffe://cluster.local/ns/default/sa/admin"] }), mesh.rootPem],
    }),
    code: "IDENTITY_INVALID",
    why: /wrong SAN/,
  },
  {
    name: "a second identity",
    answer: (csr) => ({ chain: [leaf(csr, { uris: [uri, `${uri}2`] }), mesh.rootPem] }),
    code: "IDENTITY_INVALID",
    why: /wrong SAN/,
  },
  {
    name: "a certificate for another key",
    answer: () => ({ chain: [leaf(createCertificateSigningRequest(identity).pem), mesh.rootPem] }),
    code: "IDENTITY_INVALID",
    why: /another key/,
  },
  {
    name: "a chain that does not reach its root",
    answer: (csr) => ({ chain: [leaf(csr), other.rootPem] }),
    code: "IDENTITY_INVALID",
    why: /no trusted root/,
  },
  {
    name: "an expired certificate",
    answer: (csr) => ({ chain: [leaf(csr, { expired: true }), mesh.rootPem] }),
    code: "IDENTITY_INVALID",
    why: /leaf: expired/,
  },
  {
    name: "no PEM",
    answer: () => ({ chain: ["hello", "world"] }),
    code: "IDENTITY_INVALID",
    why: /holds no certificate/,
  },
  {
    name: "a broken certificate",
    answer: () => ({ chain: [writePem(randomBytes(64), "CERTIFICATE"), mesh.rootPem] }),
    code: "IDENTITY_INVALID",
    why: /certificate 1 of 1/,
  },
  {
    name: "an answer too large",
    answer: () => ({ chain: ["x".repeat(1_100_000)] }),
    code: "UNAVAILABLE",
    why: /RESOURCE_EXHAUSTED/,
  },
  {
    name: "a refusal",
    answer: () => ({ code: status.UNAUTHENTICATED, details: "request impersonation authentication failure" }),
    code: "PEER_REFUSED",
    why: /CA answered UNAUTHENTICATED: request impersonation authentication failure/,
  },
  {
    name: "a very long refusal",
    answer: () => ({ code: status.INTERNAL, details: "y".repeat(2000) }),
    code: "UNAVAILABLE",
    why: /^.{0,400}$/,
  },
  { name: "silence", answer: () => "never", code: "TIMEOUT", why: /DEADLINE_EXCEEDED/ },
];
for (const c of answers)
  test(`refused: ${c.name}`, async () => {
    decide = c.answer;
    using client = createCertificateClient(options(c.name === "silence" ? { deadlineMs: 300 } : {}), {
      clock: systemClock,
    });
    await assert.rejects(client.fetch(identity), (error: MeshError) => {
      assert.equal(error.code, c.code);
      assert.match(error.message, c.why);
      return true;
    });
  });

test("refused: no token, an empty one, one with a line break inside; the token never shows", async () => {
  for (const [name, text] of [
    ["none", undefined],
    ["empty", ""],
    ["two-lines", "secret-a\nsecret-b"],
    ["long", "s".repeat(9000)],
  ] as const) {
    const path = folder.file(`token-${name}`);
    if (text !== undefined) await writeFile(path, text);
    using client = createCertificateClient(options({ token: { kind: "file", path } }), {
      clock: systemClock,
    });
    await assert.rejects(
      client.fetch(identity),
      (error: Error) => error.message.includes(path) && !error.message.includes("secret"),
    );
  }
});

test("a server that does not chain to the roots, or has another name, gets no token", async () => {
  decide = () => assert.fail("must not be asked");
  for (const changes of [
    { roots: { kind: "literal", text: other.rootPem } as const },
    { serverName: "evil.example" },
  ]) {
    using client = createCertificateClient(options(changes), { clock: systemClock });
    await assert.rejects(client.fetch(identity), (error: MeshError) => error.code === "UNAVAILABLE");
  }
});

test("a replaced root file is taken up by the next request", async () => {
  decide = (csr) => ({ chain: [leaf(csr), mesh.rootPem] });
  const path = folder.file("changing-root.pem");
  await writeFile(path, other.rootPem);
  using client = createCertificateClient(options({ roots: { kind: "file", path } }), { clock: systemClock });
  await assert.rejects(client.fetch(identity));
  await writeFile(path, other.rootPem + mesh.rootPem);
  assert.ok(await client.fetch(identity));
});

test("an aborted request ends at once", async () => {
  decide = () => "never";
  using client = createCertificateClient(options(), { clock: systemClock });
  const controller = new AbortController();
  const running = client.fetch(identity, controller.signal);
  setImmediate(() => controller.abort());
  await assert.rejects(running);
});

test("addresses: https anywhere, http to this machine only", () => {
  for (const address of ["istiod:15012", "http://istiod.istio-system.svc:15010", "ftp://127.0.0.1", ""])
    assert.throws(
      () => createCertificateClient(options({ address }), { clock: systemClock }),
      /expected https/,
    );
  createCertificateClient(options({ address: "http://127.0.0.1:15010" }), { clock: systemClock })[
    Symbol.dispose
  ]();
});

function caServer(): Server {
  const made = new Server();
  const service = {
    CreateCertificate: {
      path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
      requestStream: false,
      responseStream: false,
      requestSerialize: (value: ca.IstioCertificateRequest) =>
        Buffer.from(toBinary(ca.IstioCertificateRequestSchema, value)),
      requestDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateRequestSchema, bytes),
      responseSerialize: (value: ca.IstioCertificateResponse) =>
        Buffer.from(toBinary(ca.IstioCertificateResponseSchema, value)),
      responseDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateResponseSchema, bytes),
    },
  } as const;
  made.addService(service, {
    CreateCertificate(
      call: { request: ca.IstioCertificateRequest; metadata: Metadata },
      done: (error: object | null, value?: unknown) => void,
    ) {
      const { csr, validityDuration, metadata } = call.request;
      seen = {
        metadata: call.metadata,
        impersonated: metadata?.["ImpersonatedIdentity"],
        seconds: validityDuration,
      };
      const answer = decide(csr);
      if (answer === "never") return;
      if ("code" in answer) done(answer);
      else done(null, create(ca.IstioCertificateResponseSchema, { certChain: [...answer.chain] }));
    },
  });
  return made;
}

test("a root file that is empty, as while it is being written, trusts nobody", async () => {
  const path = folder.file("empty-root.pem");
  seen = undefined;
  decide = (csr) => ({ chain: [leaf(csr), mesh.rootPem] });
  using client = createCertificateClient(options({ roots: { kind: "file", path } }), { clock: systemClock });
  for (const text of ["", "\n", "no certificate"]) {
    await writeFile(path, text);
    await assert.rejects(client.fetch(identity), {
      code: "UNAVAILABLE",
      message: /at least one PEM certificate/,
    });
  }
  assert.equal(seen, undefined);
  await writeFile(path, mesh.rootPem);
  assert.deepEqual((await client.fetch(identity)).leaf.names.uris, [uri]);
});
