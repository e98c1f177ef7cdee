import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Attempt } from "../identity/attempt.ts";
import { impersonated } from "../identity/impersonate.ts";
import type { Json } from "../json.ts";
import { Refusal } from "../refusal.ts";
import { type PolicyRule, ruleAllows, ruleJson, rulesOf, uncovered } from "./policy-rule.ts";

const user = { username: "ann", uid: "", groups: [], extra: {} };
const some = (...values: string[]): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 });

const onResources: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some("get", "list", "*"),
  apiGroups: some("", "apps", "*"),
  resources: some("pods", "pods/log", "*/log", "*", "nodes"),
  resourceNames: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: some("a", "b") },
  ),
  nonResourceUrls: fc.constant([]),
});
const onPaths: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some("get", "*"),
  apiGroups: fc.constant([]),
  resources: fc.constant([]),
  resourceNames: fc.constant([]),
  nonResourceUrls: some("/a", "/a/*", "/a/b*", "*"),
});
const rules = fc.array(fc.oneof(onResources, onPaths), { maxLength: 4 });
const attempts: fc.Arbitrary<Attempt> = fc.oneof(
  fc.record({
    kind: fc.constant("resource" as const),
    user: fc.constant(user),
    verb: fc.constantFrom("get", "list", "delete"),
    group: fc.constantFrom("", "apps", "batch"),
    resource: fc.constantFrom("pods", "nodes", "jobs"),
    subresource: fc.constantFrom("", "log", "exec"),
    namespace: fc.constant("shop"),
    name: fc.constantFrom("", "a", "b", "c"),
  }),
  fc.record({
    kind: fc.constant("path" as const),
    user: fc.constant(user),
    verb: fc.constantFrom("get", "post"),
    path: fc.constantFrom("/a", "/a/b", "/a/bc", "/c"),
  }),
);

const allows = (held: readonly PolicyRule[], attempt: Attempt): boolean =>
  held.some((rule) => ruleAllows(rule, attempt));

test("rules: who holds all that is granted can do all that whoever gets it can do", () => {
  fc.assert(
    fc.property(rules, rules, attempts, (held, wanted, attempt) => {
      fc.pre(uncovered(held, wanted).length === 0);
      if (allows(wanted, attempt)) assert.ok(allows(held, attempt));
    }),
    { numRuns: 3_000 },
  );
});

test("rules: with what is missing nothing is missing; one's own never is", () => {
  fc.assert(
    fc.property(rules, rules, (held, wanted) => {
      assert.deepEqual(uncovered([...held, ...uncovered(held, wanted)], wanted), []);
      assert.deepEqual(uncovered(held, held), []);
    }),
    { numRuns: 1_000 },
  );
});

test("rules: written and read again they are the same; whatever is no rule gives nothing", () => {
  fc.assert(
    fc.property(rules, (some) =>
      assert.deepEqual(rulesOf({ rules: some.map(ruleJson) }), structuredClone(some)),
    ),
  );
  fc.assert(
    fc.property(fc.jsonValue(), attempts, (value, attempt) => {
      for (const rule of rulesOf({ rules: value as Json })) ruleAllows(rule, attempt);
    }),
  );
});

test("impersonation: whatever the headers hold is a user or a refusal", () => {
  const names = fc.constantFrom(
    "impersonate-user",
    "impersonate-group",
    "impersonate-uid",
    "impersonate-extra-a%",
    "impersonate-extra-__proto__",
    "x",
  );
  fc.assert(
    fc.property(
      fc.dictionary(names, fc.array(fc.string(), { maxLength: 3 })),
      fc.boolean(),
      (headers, may) => {
        const authorize = (): { kind: "allowed" | "denied"; reason: string } => ({
          kind: may ? "allowed" : "denied",
          reason: "",
        });
        try {
          assert.equal(typeof impersonated(user, headers, authorize).username, "string");
        } catch (error) {
          assert.ok(error instanceof Refusal);
        }
      },
    ),
  );
});
