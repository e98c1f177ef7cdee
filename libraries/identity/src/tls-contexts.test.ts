import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { type SecureVersion, TLSSocket, connect as tlsConnect } from "node:tls";
import { inspect } from "node:util";
import { type Identity, parseIdentity } from "@meltemi/model";
import { createTestAuthority, type TestCertificateOptions } from "@meltemi/testkit";
import { authenticateClient, PEER_REVOKED } from "./authenticate.ts";
import {
  createTlsContextCache,
  createTlsContexts,
  secureContextOptions,
  type TlsContexts,
} from "./tls-contexts.ts";
import type { WorkloadCertificate } from "./workload-certificate.ts";

const mesh = createTestAuthority();
const foreign = createTestAuthority();
const serverIdentity = parseIdentity("spiffe://cluster.local/ns/default/sa/server") as Identity;
const server = createTlsContexts(mesh.issue("default/server"));

interface Attempt {
  readonly server?: TlsContexts;
  readonly client?: WorkloadCertificate | "none";
  readonly expected?: readonly Identity[];
  readonly maxVersion?: SecureVersion;
  readonly alpn?: string[];
}

interface Outcome {
  readonly kind: "connected" | "refused";
  readonly text: string;
  readonly serverSide: string;
  readonly socket?: {
    readonly protocol: string | null;
    readonly cipher: string;
    readonly alpn: string | false | null;
  };
  readonly servername: string | false | null;
  readonly reused: boolean;
}

/** One real handshake over loopback, both sides judged as ztunnel judges them. */
async function handshake(attempt: Attempt): Promise<Outcome> {
  const serving = attempt.server ?? server;
  const verdict = Promise.withResolvers<{ text: string; servername: string | false | null }>();
  const listener = createServer((raw) => serveOne(raw, serving, verdict.resolve)).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(address !== null && typeof address === "object");
  const raw = connectTcp(address.port, "127.0.0.1");
  try {
    return await connectOne(raw, attempt, verdict.promise);
  } finally {
    raw.destroy();
    listener.close();
  }
}

function serveOne(
  raw: Socket,
  serving: TlsContexts,
  done: (verdict: { text: string; servername: string | false | null }) => void,
): void {
  raw.on("error", () => {});
  const socket = new TLSSocket(raw, serving.server);
  const finish = (text: string): void => {
    done({ text, servername: (socket as TLSSocket & { servername?: string | false }).servername ?? null });
    if (text !== "ok") socket.destroy();
    else socket.end("welcome");
  };
  socket.on("error", (error) => finish(error.message));
  socket.on("close", () => finish("closed"));
  socket.on("secure", () => {
    const peer = authenticateClient(socket, serving);
    finish(peer.kind === "ok" ? "ok" : peer.reason);
  });
}

async function connectOne(
  raw: Socket,
  attempt: Attempt,
  verdict: Promise<{ text: string; servername: string | false | null }>,
): Promise<Outcome> {
  const certificate = attempt.client ?? mesh.issue("default/client");
  const named = certificate === "none" ? mesh.issue("default/client") : certificate;
  const base = createTlsContexts(named).client(attempt.expected ?? [serverIdentity]);
  const { secureContext: _, ...bare } = base;
  const plain = { ca: mesh.rootPem };
  const own = {
    ...secureContextOptions(named),
    ...(attempt.maxVersion && {
      minVersion: attempt.maxVersion,
      maxVersion: attempt.maxVersion,
      ciphers: "DEFAULT",
    }),
  };
  const options =
    certificate === "none" ? { ...bare, ...plain } : attempt.maxVersion ? { ...bare, ...own } : base;
  const socket = tlsConnect({
    ...options,
    socket: raw,
    ...(attempt.alpn && { ALPNProtocols: attempt.alpn }),
  });
  const end = Promise.withResolvers<{ kind: "connected" | "refused"; text: string }>();
  socket.on("error", (error) => end.resolve({ kind: "refused", text: error.message }));
  // In TLS 1.3 a client is "connected" before the server has judged it: only data proves acceptance.
  socket.once("data", (data) => end.resolve({ kind: "connected", text: String(data) }));
  socket.on("close", () => end.resolve({ kind: "refused", text: "closed" }));
  const result = await end.promise;
  const facts = {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name,
    alpn: socket.alpnProtocol,
  };
  const reused = result.kind === "connected" && socket.isSessionReused();
  socket.destroy();
  const { text, servername } = await verdict;
  return { ...result, serverSide: text, socket: facts, servername, reused };
}

test("a peer whose chain is revoked is refused, and judged by all that it presented", async () => {
  const authority = createTestAuthority({ intermediates: 2 });
  const seen: string[] = [];
  const serving = (revoked: boolean) =>
    createTlsContexts(authority.issue("default/server"), "none", (chain, role) => {
      seen.push(`${role} ${chain.der.length} ${chain.roots.length}`);
      return revoked;
    });
  const client = authority.issue("default/client");
  assert.equal((await handshake({ server: serving(false), client })).kind, "connected");
  const outcome = await handshake({ server: serving(true), client });
  assert.deepEqual([outcome.kind, outcome.serverSide], ["refused", PEER_REVOKED]);
  assert.deepEqual(seen, ["client 3 1", "client 3 1"]);
});

test("a peer that presents more certificates than any chain of the mesh has is refused", async () => {
  const padded = mesh.issue("default/client");
  const intermediates = Array.from({ length: 16 }, () => foreign.issue("default/junk").leaf);
  const outcome = await handshake({ client: { ...padded, intermediates } });
  assert.match(outcome.serverSide, /more than 16 certificates presented/);
  const fewer = { ...padded, intermediates: intermediates.slice(1) };
  assert.equal((await handshake({ client: fewer })).kind, "connected");
});

test("workloads of one mesh connect: TLS 1.3, AES-GCM, h2, no SNI, no resumption", async () => {
  const outcome = await handshake({});
  assert.equal(outcome.kind, "connected", `${outcome.text} / ${outcome.serverSide}`);
  assert.deepEqual(outcome.socket, { protocol: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", alpn: "h2" });
  assert.equal(outcome.servername || "", "");
  assert.equal(outcome.reused, false);
});

test("a chain over intermediates, and two roots during a roll-over, connect", async () => {
  const deep = createTestAuthority({ intermediates: 2 });
  const both = { trust: [mesh, deep] };
  const outcome = await handshake({
    server: createTlsContexts(mesh.issue("default/server", both)),
    client: deep.issue("default/client", both),
  });
  assert.equal(outcome.kind, "connected", `${outcome.text} / ${outcome.serverSide}`);
});

const issue = (options: TestCertificateOptions): WorkloadCertificate => mesh.issue("default/client", options);
const refusals: readonly { readonly name: string; readonly attempt: Attempt; readonly why: RegExp }[] = [
  {
    name: "no client certificate",
    attempt: { client: "none" },
    why: /not authorized|certificate|closed|hang up/i,
  },
  {
    name: "client of another root",
    attempt: { client: foreign.issue("default/client", { trust: [mesh] }) },
    why: /UNABLE_TO|self.signed|closed/i,
  },
  { name: "expired client", attempt: { client: mesh.expired("default/client") }, why: /CERT_HAS_EXPIRED/ },
  {
    name: "client not yet valid",
    attempt: { client: mesh.notYetValid("default/client") },
    why: /CERT_NOT_YET_VALID/,
  },
  {
    name: "client of a foreign trust domain, same root",
    attempt: { client: mesh.issue("spiffe://evil/ns/default/sa/client") },
    why: /expected trustdomain \(cluster\.local\), got spiffe:\/\/evil/,
  },
  {
    name: "client without a SPIFFE name",
    attempt: { client: issue({ uris: ["https://client"] }) },
    why: /expected trustdomain \(cluster\.local\), got $/,
  },
  {
    name: "certificate for servers used as client",
    attempt: { client: issue({ uses: ["serverAuth"] }) },
    why: /INVALID_PURPOSE/,
  },
  { name: "TLS 1.2", attempt: { maxVersion: "TLSv1.2" }, why: /unsupported protocol|protocol version/i },
  { name: "no common ALPN", attempt: { alpn: ["http/1.1"] }, why: /no application protocol/i },
  {
    name: "server of another root",
    attempt: { client: issue({ trust: [foreign] }) },
    why: /unable to|self.signed/i,
  },
  {
    name: "expired server",
    attempt: { server: createTlsContexts(mesh.expired("default/server")) },
    why: /certificate has expired/,
  },
  {
    name: "server not yet valid",
    attempt: { server: createTlsContexts(mesh.notYetValid("default/server")) },
    why: /not yet valid/,
  },
  {
    name: "another workload than expected",
    attempt: { server: createTlsContexts(mesh.issue("default/other")) },
    why: /expected SAN \(spiffe:\/\/cluster\.local\/ns\/default\/sa\/server\), got spiffe:\/\/cluster\.local\/ns\/default\/sa\/other/,
  },
  { name: "no identity expected", attempt: { expected: [] }, why: /expected SAN \(\), got/ },
  {
    name: "certificate for clients used as server",
    attempt: { server: createTlsContexts(mesh.issue("default/server", { uses: ["clientAuth"] })) },
    why: /purpose/,
  },
];
for (const c of refusals)
  test(`handshake refused: ${c.name}`, async () => {
    const outcome = await handshake(c.attempt);
    assert.equal(outcome.kind, "refused");
    assert.match(`${outcome.text}\n${outcome.serverSide}`, c.why);
  });

test("post-quantum policy: two pqc sides connect, a plain client is refused", async () => {
  const pqc = createTlsContexts(mesh.issue("default/server"), "pqc");
  assert.equal((await handshake({ server: pqc })).kind, "refused");
});

test("one context per certificate, and a dumped certificate shows no key", () => {
  const contexts = createTlsContextCache();
  const certificate = mesh.issue("default/server");
  assert.equal(contexts(certificate), contexts(certificate));
  assert.notEqual(contexts(certificate), contexts(mesh.issue("default/server")));
  const key = certificate.privateKey.export({ format: "der", type: "pkcs8" }).toString("base64").slice(-40);
  assert.ok(!JSON.stringify(certificate).includes(key) && !inspect(certificate, { depth: 9 }).includes(key));
});
