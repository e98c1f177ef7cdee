import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { type Identity, parseIdentity } from "@meltemi/model";
import { createCertificateSigningRequest } from "./certificate-signing-request.ts";
import { createRootAuthority, issueLeaf } from "./issue.ts";
import { verifyClientPeer, verifyServerPeer } from "./peer.ts";

const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
const root = createRootAuthority({ organization: "test", ...validity }, randomBytes);
const client: Identity = { trustDomain: "cluster.local", namespace: "default", serviceAccount: "client" };
const server: Identity = { ...client, serviceAccount: "server" };
const uriOf = (name: string, trustDomain = "cluster.local"): string =>
  `spiffe://${trustDomain}/ns/default/sa/${name}`;

function leaf(names: {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
}): Uint8Array {
  const { publicKeySpki } = createCertificateSigningRequest(client);
  return issueLeaf(
    root,
    { publicKeySpki, names, uses: ["serverAuth", "clientAuth"], ...validity },
    randomBytes,
  );
}

const serverCases = [
  { name: "the expected one", uris: [uriOf("server")], expected: [server], want: uriOf("server") },
  {
    name: "one of several expected",
    uris: [uriOf("server")],
    expected: [client, server],
    want: uriOf("server"),
  },
  {
    name: "any of its names",
    uris: ["https://x", uriOf("other"), uriOf("server")],
    expected: [server],
    want: uriOf("server"),
  },
  {
    name: "another workload",
    uris: [uriOf("client")],
    expected: [server],
    want: `(${uriOf("server")}), got ${uriOf("client")}`,
  },
  {
    name: "the same workload of another trust domain",
    uris: [uriOf("server", "evil")],
    expected: [server],
    want: `(${uriOf("server")}), got ${uriOf("server", "evil")}`,
  },
  { name: "nobody expected", uris: [uriOf("server")], expected: [], want: `(), got ${uriOf("server")}` },
  {
    name: "no SPIFFE name",
    uris: ["https://server"],
    expected: [server],
    want: `(${uriOf("server")}), got `,
  },
  {
    name: "a path part too many",
    uris: [`${uriOf("server")}/x`],
    expected: [server],
    want: `(${uriOf("server")}), got `,
  },
  {
    name: "the name as DNS text",
    uris: [],
    dnsNames: [`x, URI:${uriOf("server")}`],
    expected: [server],
    want: `(${uriOf("server")}), got `,
  },
] as const;
for (const c of serverCases)
  test(`verifyServerPeer: ${c.name}`, () => {
    const verdict = verifyServerPeer(
      leaf({ uris: c.uris, dnsNames: "dnsNames" in c ? c.dnsNames : [] }),
      c.expected,
    );
    const want = c.want.startsWith("spiffe")
      ? { kind: "ok", identity: parseIdentity(c.want) }
      : {
          kind: "refused",
          reason: `identity verification error: peer did not present the expected SAN ${c.want}`,
        };
    assert.deepEqual(verdict, want);
  });

const clientCases = [
  { name: "of the mesh", uris: [uriOf("client")], want: uriOf("client") },
  { name: "first of two names", uris: [uriOf("client"), uriOf("server")], want: uriOf("client") },
  {
    name: "foreign name first does not become the identity",
    uris: [uriOf("admin", "evil"), uriOf("client")],
    want: uriOf("client"),
  },
  { name: "foreign trust domain", uris: [uriOf("client", "evil")], want: `got ${uriOf("client", "evil")}` },
  {
    name: "trust domain that merely begins alike",
    uris: [uriOf("client", "cluster.local.evil")],
    want: `got ${uriOf("client", "cluster.local.evil")}`,
  },
  { name: "no name", uris: [], want: "got " },
] as const;
for (const c of clientCases)
  test(`verifyClientPeer: ${c.name}`, () => {
    const verdict = verifyClientPeer(leaf({ uris: c.uris }), ["cluster.local"]);
    const want = c.want.startsWith("spiffe")
      ? { kind: "ok", identity: parseIdentity(c.want) }
      : {
          kind: "refused",
          reason: `identity verification error: peer did not present the expected trustdomain (cluster.local), ${c.want}`,
        };
    assert.deepEqual(verdict, want);
  });

test("an alias of the trust domain counts as it, another domain does not", () => {
  const verdict = (uri: string) => verifyClientPeer(leaf({ uris: [uri] }), ["cluster.local", "old.example"]);
  const aliased = uriOf("client", "old.example");
  assert.deepEqual(verdict(aliased), { kind: "ok", identity: parseIdentity(aliased) });
  assert.equal(verdict(uriOf("client", "new.example")).kind, "refused");
});

test("bytes that are no certificate are refused", () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0x30, 0x80), randomBytes(300)]) {
    assert.equal(verifyServerPeer(bytes, [server]).kind, "refused");
    assert.equal(verifyClientPeer(bytes, ["cluster.local"]).kind, "refused");
  }
});
