import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAuthorizationPolicy } from "./authorization-policy.ts";

const metadata = { name: "p", namespace: "shop", creationTimestamp: "2026-01-01T00:00:00Z", uid: "u" };
const policy = (spec: unknown, extra: object = {}): unknown => ({
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { ...metadata, ...extra },
  spec,
});

test("a full policy", () => {
  const parsed = parseAuthorizationPolicy(
    policy(
      {
        selector: { matchLabels: { app: "web" } },
        action: "DENY",
        rules: [
          {
            from: [
              { source: { principals: ["cluster.local/ns/a/sa/b"], notIpBlocks: ["10.0.0.0/8", "fd00::1"] } },
            ],
            to: [{ operation: { ports: ["80", "0"], methods: ["GET"] } }],
            when: [
              { key: "source.ip", values: ["10.1.1.1"] },
              { key: "request.headers[x-a]", notValues: ["b"] },
            ],
          },
          {},
        ],
      },
      { annotations: { "istio.io/dry-run": "true" } },
    ),
  );
  assert.ok(parsed.kind === "ok");
  const { value } = parsed;
  assert.deepEqual(value.target, { kind: "selector", labels: new Map([["app", "web"]]) });
  assert.deepEqual(value.action, { kind: "deny" });
  assert.equal(value.dryRun, true);
  assert.equal(value.metadata.createdAt, "2026-01-01T00:00:00Z");
  assert.deepEqual(value.rules[0]?.from[0]?.notIpBlocks, ["10.0.0.0/8", "fd00::1"]);
  assert.deepEqual(value.rules[0]?.to[0]?.ports, [80, 0]);
  assert.deepEqual(value.rules[0]?.when[1], { key: "request.headers[x-a]", values: [], notValues: ["b"] });
  assert.deepEqual(value.rules[1], { from: [], to: [], when: [] });
});

const accepted = [
  {
    name: "no spec at all denies everything in the namespace",
    spec: undefined,
    target: "namespace",
    rules: 0,
  },
  { name: "an empty spec", spec: {}, target: "namespace", rules: 0 },
  { name: "nulls count as absent", spec: { selector: null, rules: null }, target: "namespace", rules: 0 },
  {
    name: "the older targetRef",
    spec: { targetRef: { kind: "Service", name: "a" } },
    target: "references",
    rules: 0,
  },
  { name: "an empty selector", spec: { selector: {} }, target: "selector", rules: 0 },
  {
    name: "custom with a provider",
    spec: { action: "CUSTOM", provider: { name: "x" } },
    target: "namespace",
    rules: 0,
  },
] as const;
for (const c of accepted) {
  test(`accepted: ${c.name}`, () => {
    const parsed = parseAuthorizationPolicy(policy(c.spec));
    assert.ok(parsed.kind === "ok", JSON.stringify(parsed));
    assert.equal(parsed.value.target.kind, c.target);
    assert.equal(parsed.value.rules.length, c.rules);
  });
}

const source = (fields: object): object => ({ rules: [{ from: [{ source: fields }] }] });
const when = (fields: object): object => ({ rules: [{ when: [fields] }] });
const refused = [
  { name: "not an object", spec: [], path: "spec" },
  { name: "unknown action", spec: { action: "deny" }, path: "spec.action" },
  { name: "a field that does not exist", spec: { rules: [{ form: [] }] }, path: "spec.rules[0].form" },
  { name: "two targets", spec: { selector: {}, targetRefs: [] }, path: "spec" },
  {
    name: "a target in another namespace",
    spec: { targetRefs: [{ kind: "Service", name: "a", namespace: "b" }] },
    path: "spec.targetRefs[0].namespace",
  },
  {
    name: "too many targets",
    spec: { targetRefs: Array.from({ length: 17 }, () => ({ kind: "Service", name: "a" })) },
    path: "spec.targetRefs",
  },
  {
    name: "wildcard label",
    spec: { selector: { matchLabels: { a: "b*" } } },
    path: 'spec.selector.matchLabels["a"]',
  },
  {
    name: "accounts with namespaces",
    spec: source({ serviceAccounts: ["a"], namespaces: ["b"] }),
    path: "spec.rules[0].from[0].source",
  },
  {
    name: "an account with a wildcard",
    spec: source({ serviceAccounts: ["a/*"] }),
    path: "spec.rules[0].from[0].source.serviceAccounts[0]",
  },
  { name: "no source", spec: { rules: [{ from: [{}] }] }, path: "spec.rules[0].from[0].source" },
  { name: "an empty source", spec: source({}), path: "spec.rules[0].from[0].source" },
  {
    name: "an empty value",
    spec: source({ namespaces: [""] }),
    path: "spec.rules[0].from[0].source.namespaces[0]",
  },
  {
    name: "a block that is none",
    spec: source({ ipBlocks: ["10.0.0.0/33"] }),
    path: "spec.rules[0].from[0].source.ipBlocks[0]",
  },
  {
    name: "text where a list belongs",
    spec: source({ ipBlocks: "10.0.0.0/8" }),
    path: "spec.rules[0].from[0].source.ipBlocks",
  },
  {
    name: "a port range",
    spec: { rules: [{ to: [{ operation: { ports: ["80-90"] } }] }] },
    path: "spec.rules[0].to[0].operation.ports[0]",
  },
  {
    name: "a number as port",
    spec: { rules: [{ to: [{ operation: { ports: [80] } }] }] },
    path: "spec.rules[0].to[0].operation.ports[0]",
  },
  {
    name: "an unknown condition",
    spec: when({ key: "source.mac", values: ["a"] }),
    path: "spec.rules[0].when[0].key",
  },
  { name: "a condition without values", spec: when({ key: "source.ip" }), path: "spec.rules[0].when[0]" },
  {
    name: "a condition with a bad address",
    spec: when({ key: "source.ip", notValues: ["a"] }),
    path: "spec.rules[0].when[0].notValues[0]",
  },
  { name: "a provider without CUSTOM", spec: { provider: { name: "x" } }, path: "spec.provider" },
  { name: "CUSTOM without provider", spec: { action: "CUSTOM" }, path: "spec.provider.name" },
];
for (const c of refused) {
  test(`refused: ${c.name}`, () => {
    const parsed = parseAuthorizationPolicy(policy(c.spec));
    assert.ok(parsed.kind === "invalid");
    assert.deepEqual(
      parsed.problems.map((problem) => problem.path),
      [c.path],
    );
  });
}

test("an object without name, or of another kind, is refused", () => {
  for (const value of [undefined, null, 1, "x", [], {}, { metadata: {} }, { kind: "Pod", metadata }]) {
    assert.equal(parseAuthorizationPolicy(value).kind, "invalid");
  }
});

test("many problems are bounded", () => {
  const rules = Array.from({ length: 500 }, () => ({ when: [{ key: "x", values: ["y"] }] }));
  const parsed = parseAuthorizationPolicy(policy({ rules }));
  assert.ok(parsed.kind === "invalid");
  assert.equal(parsed.problems.length, 20);
});

test("whatever comes, the answer is a policy or a list of problems", () => {
  const field = fc.constantFrom(
    "selector",
    "targetRefs",
    "action",
    "rules",
    "provider",
    "from",
    "to",
    "when",
    "source",
    "matchLabels",
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      fc.jsonValue(),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(field, tie("node")),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (spec) => {
      const parsed = parseAuthorizationPolicy(policy(spec));
      if (parsed.kind === "invalid") assert.ok(parsed.problems.length > 0);
    }),
    { numRuns: 500 },
  );
});
