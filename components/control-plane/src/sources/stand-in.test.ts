import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileAuthorizationPolicy } from "../compile/authorization.ts";
import { SETTINGS } from "../compile/facts.fixture.ts";
import type { AuthorizationPolicyFacts, PeerAuthenticationFacts } from "../compile/facts.ts";
import { authorizationPolicyStandIn, peerAuthenticationStandIn } from "./stand-in.ts";

const metadata = { namespace: "apps", name: "p", generation: 2 };
const GOOD = { to: [{ operation: { ports: ["80"] } }] };
const BAD = { from: [{ source: { ipBlocks: ["10.0.0.0/33"] } }] };
const EMPTY_SOURCE = { from: [{ source: {} }] };

const compile = (facts: AuthorizationPolicyFacts | undefined) =>
  compileAuthorizationPolicy(facts ?? assert.fail("no facts"), SETTINGS);

const cases: readonly {
  readonly name: string;
  readonly spec: unknown;
  readonly action?: "allow" | "deny";
  /** Rules that are enforced, and how many clauses each has: none matches everything. */
  readonly rules?: readonly number[];
  readonly scope?: string;
  readonly enforced: string;
}[] = [
  {
    name: "ALLOW, one rule of two",
    spec: { rules: [BAD, GOOD] },
    action: "allow",
    rules: [1],
    enforced: "allowsLess",
  },
  {
    name: "ALLOW, its only rule",
    spec: { rules: [BAD] },
    action: "allow",
    rules: [],
    enforced: "allowsLess",
  },
  {
    name: "ALLOW, rules are no list",
    spec: { rules: 7 },
    action: "allow",
    rules: [],
    enforced: "allowsLess",
  },
  {
    name: "DENY, one rule of two",
    spec: { action: "DENY", rules: [GOOD, EMPTY_SOURCE] },
    action: "deny",
    rules: [0],
    enforced: "deniesMore",
  },
  {
    name: "DENY, rules are no list",
    spec: { action: "DENY", rules: {} },
    action: "deny",
    rules: [0],
    enforced: "deniesMore",
  },
  {
    name: "an action that is none",
    spec: { action: "Deny", rules: [GOOD] },
    action: "deny",
    rules: [0],
    enforced: "deniesMore",
  },
  { name: "a spec that is none", spec: [], action: "allow", rules: [], enforced: "allowsLess" },
  {
    name: "DENY with a selector",
    spec: { action: "DENY", selector: { matchLabels: { app: "db" } }, rules: [BAD] },
    action: "deny",
    rules: [0],
    scope: "workloadSelector",
    enforced: "deniesMore",
  },
  {
    name: "a selector that cannot be read is the whole namespace",
    spec: { action: "DENY", selector: { matchLabels: { app: 7 } }, rules: [GOOD] },
    action: "deny",
    rules: [1],
    scope: "namespace",
    enforced: "deniesMore",
  },
  { name: "AUDIT", spec: { action: "AUDIT", rules: [BAD] }, enforced: "nothing" },
  {
    name: "for waypoints",
    spec: { targetRefs: [{ kind: "Gateway", group: "gateway.networking.k8s.io", name: "w" }], rules: [BAD] },
    enforced: "nothing",
  },
];
for (const { name, spec, action, rules, scope, enforced } of cases)
  test(`never readable: ${name}`, () => {
    const facts = authorizationPolicyStandIn({ metadata, spec } as object, undefined, "spec: bad");
    const { policy, verdict } = compile(facts);
    assert.equal(policy?.action, action);
    assert.deepEqual(
      policy?.rules.map((clauses) => clauses.length),
      rules,
    );
    if (scope !== undefined) assert.equal(policy?.scope, scope);
    assert.ok(verdict.kind === "invalid");
    assert.equal(verdict.enforced.kind, enforced);
    assert.equal(facts?.generation, 2);
  });

test("dry run stays dry run", () => {
  const dry = { ...metadata, annotations: { "istio.io/dry-run": "true" } };
  const facts = authorizationPolicyStandIn(
    { metadata: dry, spec: { action: "DENY", rules: [BAD] } } as object,
    undefined,
    "",
  );
  assert.equal(compile(facts).policy, undefined);
});

test("the last readable form stays, through any number of unreadable ones", () => {
  const good = {
    namespace: "apps",
    name: "p",
    generation: 1,
    selector: {},
    targetRefs: [],
    action: "DENY",
    dryRun: false,
    rules: [],
  } as const;
  const first = authorizationPolicyStandIn({ metadata, spec: { rules: [BAD] } } as object, good, "one");
  const third = { ...metadata, generation: 3 };
  const second = authorizationPolicyStandIn({ metadata: third, spec: { rules: 1 } } as object, first, "two");
  assert.deepEqual(second, { ...good, generation: 3, fault: { problems: "two", lastGoodGeneration: 1 } });
  const { verdict } = compile(second);
  assert.deepEqual(verdict, {
    kind: "invalid",
    problems: "two",
    enforced: { kind: "lastGood", generation: 1 },
  });
});

test("whatever a spec is, a DENY that cannot be read denies, and nothing throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("DENY", "deny", 7), (rules, action) => {
      const facts = authorizationPolicyStandIn(
        { metadata, spec: { action, rules: [rules, BAD] } } as object,
        undefined,
        "",
      );
      assert.deepEqual(compile(facts).policy?.rules, [[]]);
    }),
  );
});

const peers: readonly {
  readonly name: string;
  readonly spec: unknown;
  readonly selector: Record<string, string>;
}[] = [
  { name: "a mode that is none", spec: { mtls: { mode: "strict" } }, selector: {} },
  {
    name: "ports that are none",
    spec: { selector: { matchLabels: { app: "db" } }, portLevelMtls: { "99999": { mode: "DISABLE" } } },
    selector: { app: "db" },
  },
  { name: "a selector that is none", spec: { selector: 7 }, selector: {} },
];
for (const { name, spec, selector } of peers)
  test(`PeerAuthentication never readable is STRICT: ${name}`, () => {
    const facts = peerAuthenticationStandIn({ metadata, spec } as object, undefined);
    assert.equal(facts?.mode, "strict");
    assert.deepEqual(facts?.portModes, []);
    assert.deepEqual({ ...facts?.selector }, selector);
  });

test("PeerAuthentication: the last readable form stays", () => {
  const good: PeerAuthenticationFacts = {
    namespace: "apps",
    name: "p",
    createdMs: 0,
    selector: {},
    mode: "permissive",
    portModes: [],
  };
  assert.equal(peerAuthenticationStandIn({ metadata, spec: 7 } as object, good), good);
});
