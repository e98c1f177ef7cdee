/**
 * The certificate service as a client (reference: protocol §3.7, §4.1, §4.2): what our ztunnel asks of a foreign CA, and what it
 * makes of slow, wrong and failing answers. What it has is what a foreign client sees at its port 15008.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { eventually } from "@meltemi/testkit";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import { tls } from "./foreign-hbone-client.fixture.ts";
import {
  type CertificateAnswer,
  chainOf,
  type ForeignIstiod,
  startForeignIstiod,
} from "./foreign-istiod.fixture.ts";
import { identityOf, type OurZtunnel, startScene } from "./ztunnel.fixture.ts";

const deadline = { timeout: 20_000 };
const OURS = identityOf("client");
const env = { CONNECTION_TERMINATION_DEADLINE: "1ms" };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;

before(() => {
  authority = createForeignAuthority();
});
after(async () => {
  await istiod?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});
beforeEach(async () => {
  await istiod?.[Symbol.asyncDispose]();
  istiod = await startForeignIstiod(authority);
});

interface CertificateDump {
  readonly identity: string;
  readonly state: string;
}

async function certificates(ours: OurZtunnel): Promise<readonly CertificateDump[]> {
  const answer = await fetch(`http://127.0.0.1:${ours.ztunnel.ports.adminPort}/config_dump`);
  return ((await answer.json()) as { certificates: CertificateDump[] }).certificates;
}

async function stateOf(ours: OurZtunnel, wanted: RegExp): Promise<string> {
  return await eventually(async () => {
    const state = (await certificates(ours)).find(({ identity }) => identity === OURS)?.state ?? "";
    return wanted.test(state) && state;
  });
}

function openssl(input: string, ...args: readonly string[]): string {
  return execFileSync("openssl", args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}

async function handshake(ours: OurZtunnel): Promise<boolean> {
  const socket = tls({ authority, ours });
  const done = await new Promise<boolean>((resolve) => {
    socket.once("secureConnect", () => resolve(true)).once("close", () => resolve(false));
  });
  socket.destroy();
  return done;
}

test("§4.1 the request: a new P-256 key each, SHA-256, no subject, one critical SPIFFE name, a day, whom it is for", async () => {
  await using ours = await startScene(authority, istiod, { env });
  await stateOf(ours, /^Available$/);
  const [asked] = istiod.certificateCalls;
  assert.ok(asked);
  const text = openssl(asked.request.csr, "req", "-noout", "-text", "-verify");
  assert.match(text, /Subject: *\n/);
  assert.match(text, /ASN1 OID: prime256v1/);
  assert.match(text, /Signature Algorithm: ecdsa-with-SHA256/);
  assert.match(text, new RegExp(`X509v3 Subject Alternative Name: critical\\s+URI:${OURS}\\n`));
  assert.equal(asked.request.validityDuration, 86_400n);
  assert.deepEqual({ ...asked.request.metadata }, { ImpersonatedIdentity: OURS });
  assert.deepEqual(asked.metadata.get("authorization"), ["Bearer the-token-of-ztunnel"]);
  assert.deepEqual(asked.metadata.get("clusterid"), ["cluster-1"]);
  await using second = await startScene(authority, istiod, { env, address: "127.0.0.4" });
  await stateOf(second, /^Available$/);
  const keys = istiod.certificateCalls.map(({ request }) => openssl(request.csr, "req", "-noout", "-pubkey"));
  assert.equal(new Set(keys).size, keys.length);
});

test("§4.1 a proxy of one workload asks for itself, and names nobody; SECRET_TTL and CA_HEADER_*", async () => {
  await using ours = await startScene(authority, istiod, {
    impersonate: false,
    env: { ...env, SECRET_TTL: "2h", CA_HEADER_x_team: "blue" },
  });
  await stateOf(ours, /^Available$/);
  const [asked] = istiod.certificateCalls;
  assert.equal(asked?.request.metadata?.["ImpersonatedIdentity"], undefined);
  assert.equal(asked?.request.validityDuration, 7200n);
  assert.deepEqual(asked?.metadata.get("x_team"), ["blue"]);
});

test("§4.2 a CA that is slow: who comes meanwhile waits, and is served", deadline, async () => {
  const answer = Promise.withResolvers<void>();
  const sign = istiod.certify;
  istiod.certify = async (call) => {
    await answer.promise;
    return sign(call);
  };
  await using ours = await startScene(authority, istiod, { env });
  const waiting = handshake(ours);
  await eventually(() => istiod.certificateCalls.length === 1);
  await stateOf(ours, /^Initializing$/);
  answer.resolve();
  assert.equal(await waiting, true);
  assert.equal(istiod.certificateCalls.length, 1, "one question for all who wait");
});

const FAILURES: readonly (readonly [string, CertificateAnswer, RegExp])[] = [
  [
    "UNAUTHENTICATED",
    { code: status.UNAUTHENTICATED, details: "request authenticate failure" },
    /UNAUTHENTICATED: request authenticate failure/,
  ],
  ["UNAVAILABLE", { code: status.UNAVAILABLE, details: "not yet" }, /UNAVAILABLE: not yet/],
];

for (const [name, failure, detail] of FAILURES)
  test(
    `§4.2 ${name}: nobody is served, the dump says why, and the next answer heals it`,
    deadline,
    async () => {
      const sign = istiod.certify;
      istiod.certify = () => failure;
      await using ours = await startScene(authority, istiod, { env });
      assert.match(await stateOf(ours, /^Unavailable: /), detail);
      assert.equal(await handshake(ours), false);
      istiod.certify = sign;
      await stateOf(ours, /^Available$/);
      assert.equal(await handshake(ours), true);
    },
  );

const WRONG: readonly (readonly [string, (csr: string) => readonly string[], RegExp])[] = [
  [
    "another identity",
    (csr) => chainOf(authority, authority.sign(csr, `URI:${identityOf("other")}`)),
    /wrong SAN|expected/,
  ],
  ["no chain", () => [], /./],
  ["garbage for a chain", () => ["garbage", "more"], /./],
  ["no name at all", (csr) => chainOf(authority, authority.sign(csr, "")), /./],
  [
    "an end in the past",
    (csr) => chainOf(authority, authority.sign(csr, `URI:${OURS}`, { days: -1 })),
    /expired|valid/,
  ],
  [
    "somebody else's key",
    () =>
      chainOf(
        authority,
        authority.issue(`URI:${OURS}`).cert.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? "",
      ),
    /key/,
  ],
  ["a root that did not sign it", (csr) => strangersRoot(authority.sign(csr, `URI:${OURS}`)), /./],
];

function strangersRoot(leaf: string): readonly string[] {
  using stranger = createForeignAuthority();
  return [leaf, authority.intermediatePem, stranger.rootPem];
}

for (const [name, chain, detail] of WRONG)
  test(`§4.1 an answer with ${name} is never served`, deadline, async () => {
    istiod.certify = ({ request }) => ({ chain: chain(request.csr) });
    await using ours = await startScene(authority, istiod, { env });
    assert.match(await stateOf(ours, /^Unavailable: /), detail);
    assert.equal(await handshake(ours), false);
  });

test("§4.1 the last element may hold several roots: peers of each are trusted", deadline, async () => {
  using other = createForeignAuthority();
  istiod.certify = ({ request }) => ({
    chain: [
      authority.sign(request.csr, `URI:${OURS}`),
      authority.intermediatePem,
      authority.rootPem + other.rootPem,
    ],
  });
  await using ours = await startScene(authority, istiod, { env });
  await stateOf(ours, /^Available$/);
  assert.equal(await handshake(ours), true);
  const socket = tls(
    { authority, ours },
    { ...other.issue(`URI:${identityOf("peer")}`), ca: authority.rootPem },
  );
  await once(socket, "secureConnect");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
});
