import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatIdentity, parseIdentity } from "./identity.ts";

test("a SPIFFE id of the mesh has exactly five parts", () => {
  assert.deepEqual(parseIdentity("spiffe://cluster.local/ns/demo/sa/client"), {
    trustDomain: "cluster.local",
    namespace: "demo",
    serviceAccount: "client",
  });
});

for (const text of [
  "",
  "cluster.local/ns/demo/sa/client",
  "spiffe://cluster.local/ns/demo/sa/",
  "spiffe:///ns/demo/sa/client",
  "spiffe://cluster.local/ns//sa/client",
  "spiffe://cluster.local/ns/demo/sa/client/",
  "spiffe://cluster.local/ns/demo/sa/client/more",
  "spiffe://cluster.local/namespace/demo/sa/client",
  "spiffe://cluster.local/ns/demo/serviceaccount/client",
  "SPIFFE://cluster.local/ns/demo/sa/client",
  "spiffe://cluster.local",
])
  test(`parseIdentity refuses ${JSON.stringify(text)}`, () => assert.equal(parseIdentity(text), undefined));

test("identities round-trip; noise never throws", () => {
  const part = fc.string({ minLength: 1 }).filter((text) => !text.includes("/"));
  fc.assert(
    fc.property(part, part, part, (trustDomain, namespace, serviceAccount) => {
      const identity = { trustDomain, namespace, serviceAccount };
      assert.deepEqual(parseIdentity(formatIdentity(identity)), identity);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseIdentity(`spiffe://${text}`)));
});
