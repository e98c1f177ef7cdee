import assert from "node:assert/strict";
import { test } from "node:test";
import { readObject } from "./object-set.ts";
import { httpFieldsOf, withoutHttpText } from "./policies.ts";

type Fields = Readonly<Record<string, unknown>>;
const to = (...operations: readonly Fields[]): Fields => ({
  to: operations.map((operation) => ({ operation })),
});
const from = (...sources: readonly Fields[]): Fields => ({ from: sources.map((source) => ({ source })) });
const when = (...keys: readonly string[]): Fields => ({ when: keys.map((key) => ({ key, values: ["x"] })) });

const post = { methods: ["POST"] };
const cases = [
  { name: "only HTTP", rules: [to(post)], want: /NO EFFECT/ },
  { name: "HTTP beside ports", rules: [to({ ...post, ports: ["80"] })], want: /more is denied/ },
  {
    name: "HTTP beside a source",
    rules: [{ ...to(post), ...from({ principals: ["a"] }) }],
    want: /NO EFFECT/,
  },
  {
    name: "one of two operations has a port",
    rules: [to(post, { notPorts: ["80"] })],
    want: /more is denied/,
  },
  {
    name: "an HTTP condition",
    rules: [{ ...from({ namespaces: ["a"] }), ...when("connection.sni") }],
    want: /NO EFFECT/,
  },
  {
    name: "a rule of each sort",
    rules: [to(post), to({ ports: ["80"] })],
    want: /1 of its 2 rules has no effect/,
  },
  { name: "request identities alone", rules: [from({ requestPrincipals: ["*"] })], want: /NO EFFECT/ },
  {
    name: "AUDIT",
    action: "AUDIT",
    rules: [to({ ...post, ports: ["80"] })],
    want: /action AUDIT: it has NO EFFECT/,
  },
  { name: "ALLOW", action: "ALLOW", rules: [to(post)], want: /less is allowed/ },
] as const;
for (const { name, rules, want, ...rest } of cases) {
  test(`a policy with HTTP attributes at ztunnel: ${name}`, () => {
    const spec = { action: "DENY", rules, ...rest };
    const policy = readObject({ kind: "AuthorizationPolicy", metadata: { name: "p", namespace: "n" }, spec });
    assert.ok(policy);
    assert.notDeepEqual(httpFieldsOf(policy), []);
    assert.match(withoutHttpText(policy), want);
  });
}
