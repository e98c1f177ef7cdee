import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createServiceAccountKey } from "../credentials.ts";
import type { KubeObject } from "../kube-object.ts";
import { createTokenSigner } from "./jwt.ts";
import { type Lookup, reviewToken, tokenClaims } from "./service-accounts.ts";

const ISSUER = "https://issuer";
const NOW_MS = 1_700_000_000_000;
const signer = createTokenSigner(createServiceAccountKey());
const account: KubeObject = { metadata: { name: "web", namespace: "shop", uid: "sa-1" } };
const pod: KubeObject = { metadata: { name: "web-1", namespace: "shop", uid: "pod-1" } };
const node: KubeObject = { metadata: { name: "node-a", uid: "node-1" } };

const objects =
  (...present: readonly KubeObject[]): Lookup =>
  (_resource, _namespace, name) =>
    present.find((object) => object.metadata["name"] === name);

const token = signer.sign(
  tokenClaims({
    issuer: ISSUER,
    audiences: ["istio-ca"],
    expirationSeconds: 600,
    account,
    pod,
    node,
    nowMs: NOW_MS,
    id: "id-1",
  }),
);

const cases = [
  { name: "valid", want: "valid" },
  { name: "last second", nowMs: NOW_MS + 599_000, want: "valid" },
  { name: "expired", nowMs: NOW_MS + 600_000, want: "has expired" },
  { name: "not yet", nowMs: NOW_MS - 5_000, want: "not valid yet" },
  { name: "wrong audience", audiences: ["other"], want: "invalid for the target audiences" },
  { name: "other issuer", issuer: "https://other", want: "issued by someone else" },
  { name: "account gone", lookup: objects(pod), want: "service account of the token has been deleted" },
  {
    name: "account replaced",
    lookup: objects({ metadata: { name: "web", uid: "sa-2" } }, pod),
    want: "deleted or replaced",
  },
  { name: "pod gone", lookup: objects(account), want: "pod that the token is bound to" },
  {
    name: "pod replaced",
    lookup: objects(account, { metadata: { name: "web-1", uid: "pod-2" } }),
    want: "pod that the token is bound to",
  },
  { name: "cut", token: token.slice(0, -2), want: "invalid bearer token" },
  {
    name: "another key",
    token: createTokenSigner(createServiceAccountKey()).sign({ iss: ISSUER }),
    want: "invalid bearer token",
  },
];
for (const c of cases) {
  test(`token: ${c.name}`, () => {
    const verdict = reviewToken(c.token ?? token, {
      signer,
      issuer: c.issuer ?? ISSUER,
      audiences: c.audiences ?? ["istio-ca"],
      nowMs: c.nowMs ?? NOW_MS,
      lookup: c.lookup ?? objects(account, pod),
    });
    if (c.want === "valid") assert.equal(verdict.kind, "valid");
    else assert.ok(verdict.kind === "refused" && verdict.why.includes(c.want), JSON.stringify(verdict));
  });
}

test("token: says who and where", () => {
  const verdict = reviewToken(token, {
    signer,
    issuer: ISSUER,
    audiences: ["istio-ca", "x"],
    nowMs: NOW_MS,
    lookup: objects(account, pod),
  });
  assert.deepEqual(verdict, {
    kind: "valid",
    audiences: ["istio-ca"],
    user: {
      username: "system:serviceaccount:shop:web",
      uid: "sa-1",
      groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/credential-id": ["JTI=id-1"],
        "authentication.kubernetes.io/node-name": ["node-a"],
        "authentication.kubernetes.io/node-uid": ["node-1"],
        "authentication.kubernetes.io/pod-name": ["web-1"],
        "authentication.kubernetes.io/pod-uid": ["pod-1"],
      },
    },
  });
});

test("token: no other algorithm is taken, whatever the token says", () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = token.split(".")[1] ?? "";
  const none = `${part({ alg: "none" })}.${body}.`;
  const input = `${part({ alg: "HS256" })}.${body}`;
  const hmac = `${input}.${createHmac("sha256", JSON.stringify(signer.jwk)).update(input).digest("base64url")}`;
  for (const forged of [none, hmac]) assert.equal(signer.verify(forged), undefined);
});

test("token: any text is refused without a fault of ours", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => assert.equal(signer.verify(text), undefined)),
    { numRuns: 500 },
  );
  const parts = fc.array(fc.base64String({ maxLength: 20 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(parts, (three) => assert.equal(signer.verify(three.join(".")), undefined)),
    { numRuns: 500 },
  );
});
