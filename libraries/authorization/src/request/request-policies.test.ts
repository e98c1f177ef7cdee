import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ip } from "@meltemi/model";
import type { RequestPolicy } from "@meltemi/model/l7";
import fc from "fast-check";
import {
  ANONYMOUS,
  compilePolicies,
  ruleMatches,
  type SampleRequest,
  type SampleRule,
  sampleConnection,
  sampleFacts,
  samplePolicy,
  sampleRequest,
  TOKEN,
  when,
} from "./sample-policy.ts";

describe("actions", () => {
  const judge = (policies: readonly RequestPolicy[], request: SampleRequest = {}): string | undefined => {
    const compiled = compilePolicies(policies);
    return compiled.denial(sampleFacts(compiled, request));
  };
  const all: SampleRule = {};
  const never: SampleRule = { to: [{ methods: ["NEVER"] }] };

  test("no policy allows", () => assert.equal(judge([]), undefined));
  test("DENY by its rule's name, before any ALLOW", () =>
    assert.equal(
      judge([samplePolicy("allow", [all]), samplePolicy("deny", [never, all], { name: "d" })]),
      "ns[ns]-policy[d]-rule[1]",
    ));
  test("DENY without rules denies nothing", () => assert.equal(judge([samplePolicy("deny")]), undefined));
  test("ALLOW without rules allows nothing", () => assert.equal(judge([samplePolicy("allow")]), "none"));
  test("any ALLOW policy is enough", () =>
    assert.equal(judge([samplePolicy("allow", [never]), samplePolicy("allow", [all])]), undefined));
  test("AUDIT changes nothing and is noted", () => {
    const compiled = compilePolicies([samplePolicy("audit", [{ to: [{ methods: ["GET"] }] }])]);
    assert.equal(compiled.denial(sampleFacts(compiled, {})), undefined);
    assert.equal(compiled.isAudited(sampleFacts(compiled, {})), true);
    assert.equal(compiled.isAudited(sampleFacts(compiled, { method: "PUT" })), false);
  });
  test("CUSTOM asks each provider once, and only of what its rules match", () => {
    const compiled = compilePolicies([
      samplePolicy({ provider: "opa" }, [{ to: [{ paths: ["/info"] }] }, all]),
      samplePolicy({ provider: "opa" }, [all], { name: "q" }),
      samplePolicy({ provider: "other" }, [never]),
    ]);
    assert.deepEqual(
      [...compiled.providersFor(sampleFacts(compiled, {}))],
      [["opa", "ns[ns]-policy[p]-rule[0]"]],
    );
  });
  test("CUSTOM rules on tokens ask of every request: tokens are verified later", () => {
    const rule: SampleRule = {
      from: [{ requestPrincipals: ["i/s"] }],
      to: [{ methods: ["GET"] }],
      when: [{ key: "request.auth.claims[a]", values: ["b"] }],
    };
    const compiled = compilePolicies([samplePolicy({ provider: "opa" }, [rule])]);
    assert.equal(compiled.providersFor(sampleFacts(compiled, {})).size, 1);
    assert.equal(compiled.providersFor(sampleFacts(compiled, { method: "PUT" })).size, 0);
  });
  test("policies on trial say what they would do, and do nothing", () => {
    const trial = { dryRun: true };
    const compiled = compilePolicies([
      samplePolicy("deny", [all], trial),
      samplePolicy("allow", [never], trial),
      samplePolicy({ provider: "opa" }, [all], trial),
    ]);
    const facts = sampleFacts(compiled, {});
    assert.equal(compiled.denial(facts), undefined);
    assert.equal(compiled.providersFor(facts).size, 0);
    assert.deepEqual(compiled.trials(facts), [
      { action: "deny", result: "denied", rule: "ns[ns]-policy[p]-rule[0]" },
      { action: "allow", result: "denied", rule: undefined },
    ]);
  });
});

/** An ALLOW rule that cannot be met is gone; any other matches whatever the part that cannot be met asked for. */
describe("what cannot be met", () => {
  const UNMET: readonly {
    readonly name: string;
    readonly rule: SampleRule;
    readonly layer: "http" | "tcp";
  }[] = [
    { name: "unknown key", rule: when("request.cookies[x]", "1"), layer: "http" },
    {
      name: "unknown key with notValues",
      rule: { when: [{ key: "nothing", notValues: ["1"] }] },
      layer: "http",
    },
    { name: "a key without values", rule: when("source.namespace"), layer: "http" },
    { name: "no header named", rule: when("request.headers[]", "1"), layer: "http" },
    { name: "bad address", rule: { from: [{ ipBlocks: ["10.0.0.0/33"] }] }, layer: "http" },
    { name: "one bad address of two", rule: { from: [{ ipBlocks: ["9.9.9.9", "x"] }] }, layer: "http" },
    { name: "bad port", rule: { to: [{ ports: [70_000] }] }, layer: "http" },
    { name: "bad template", rule: { to: [{ paths: ["/{*}.txt"] }] }, layer: "http" },
    { name: "bad account", rule: { from: [{ serviceAccounts: ["a/b/c"] }] }, layer: "http" },
    { name: "methods of bytes", rule: { to: [{ methods: ["PUT"] }] }, layer: "tcp" },
    { name: "notPaths of bytes", rule: { to: [{ notPaths: ["/x"] }] }, layer: "tcp" },
    { name: "token of bytes", rule: { from: [{ requestPrincipals: ["*"] }] }, layer: "tcp" },
    { name: "forwarded address of bytes", rule: { from: [{ remoteIpBlocks: ["1.2.3.4"] }] }, layer: "tcp" },
    { name: "header of bytes", rule: when("request.headers[x]", "1"), layer: "tcp" },
  ];
  for (const { name, rule, layer } of UNMET)
    test(name, () => {
      const problems: string[] = [];
      const options = { layer, onProblem: (problem: string) => void problems.push(problem) };
      const allow = compilePolicies([samplePolicy("allow", [rule])], options);
      const deny = compilePolicies([samplePolicy("deny", [rule])], options);
      const request = layer === "http" ? sampleRequest({}) : undefined;
      assert.equal(allow.denial(allow.factsOf(sampleConnection({}), request)), "none");
      assert.notEqual(deny.denial(deny.factsOf(sampleConnection({}), request)), undefined);
      assert.equal(problems.length, 2);
      assert.match(problems[0] ?? "", /^ns\[ns\]-policy\[p\]-rule\[0\]: /);
    });

  test("what can be met of a DENY rule still narrows it", () => {
    const rule = { to: [{ methods: ["PUT"], ports: [81] }] };
    assert.equal(ruleMatches(rule, {}, { layer: "tcp" }), false);
    assert.equal(
      ruleMatches(rule, { destination: { ip: ip("10.96.0.1"), port: 81 } }, { layer: "tcp" }),
      true,
    );
  });
  test("a bad value among notValues denies more", () => {
    const rule = { from: [{ notIpBlocks: ["x", "10.0.0.1"] }] };
    assert.equal(ruleMatches(rule, {}), false);
    assert.equal(ruleMatches(rule, { sourceIp: ip("10.0.0.2") }), true);
  });
  test("of connections, what is known is enforced", () => {
    const policies = compilePolicies([samplePolicy("allow", [{ from: [{ namespaces: ["default"] }] }])], {
      layer: "tcp",
    });
    assert.equal(policies.denial(policies.factsOf(sampleConnection({}), undefined)), undefined);
    assert.equal(policies.denial(policies.factsOf(sampleConnection(ANONYMOUS), undefined)), "none");
  });
});

test("of any texts: `not` is the contrary, DENY and ALLOW agree, and nothing throws", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom(
      "*",
      "a*",
      "*a",
      "/a/{*}",
      "/{**}",
      "10.0.0.0/8",
      "a/b",
      "cluster.local/ns/default/sa/sleep",
    ),
  );
  const kinds = [
    ["from", "principals", "notPrincipals"],
    ["from", "namespaces", "notNamespaces"],
    ["from", "requestPrincipals", "notRequestPrincipals"],
    ["from", "ipBlocks", "notIpBlocks"],
    ["to", "paths", "notPaths"],
    ["to", "hosts", "notHosts"],
    ["to", "methods", "notMethods"],
  ] as const;
  fc.assert(
    fc.property(fc.constantFrom(...kinds), text, text, text, (kind, value, path, authority) => {
      const [clause, positive, negative] = kind;
      const request: SampleRequest = { path, authority, method: authority, token: TOKEN };
      const denial = (action: "allow" | "deny", field: string): string | undefined => {
        const policies = compilePolicies([samplePolicy(action, [{ [clause]: [{ [field]: [value] }] }])]);
        return policies.denial(sampleFacts(policies, request));
      };
      const problems: string[] = [];
      compilePolicies([samplePolicy("deny", [{ [clause]: [{ [positive]: [value] }] }])], {
        onProblem: (problem) => void problems.push(problem),
      });
      if (problems.length > 0) {
        assert.ok(denial("deny", positive) !== undefined && denial("allow", positive) === "none");
        return;
      }
      const isDenied = denial("deny", positive) !== undefined;
      assert.equal(denial("allow", positive) === undefined, isDenied);
      assert.equal(denial("deny", negative) === undefined, isDenied);
    }),
    { numRuns: 500 },
  );
});
