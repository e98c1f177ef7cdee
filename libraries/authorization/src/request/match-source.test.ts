import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ip } from "@meltemi/model";
import {
  ANONYMOUS,
  compilePolicies,
  inNamespace,
  ofDomain,
  type RuleCase,
  ruleMatches,
  SLEEP,
  sampleFacts,
  samplePolicy,
  TOKEN,
} from "./sample-policy.ts";

const SOURCES: readonly RuleCase[] = [
  {
    name: "principals: exact",
    rule: { from: [{ principals: ["cluster.local/ns/default/sa/sleep"] }] },
    yes: [{}],
    no: [ANONYMOUS, inNamespace("other"), inNamespace("defaultx")],
  },
  {
    name: "principals: prefix, of a parsed identity",
    rule: { from: [{ principals: ["cluster.local/ns/default/*"] }] },
    yes: [{}],
    no: [ANONYMOUS, inNamespace("default-evil")],
  },
  {
    name: "principals: suffix is text: a dot is a dot",
    rule: { from: [{ principals: ["*/ns/default/sa/s.eep"] }] },
    yes: [{ identity: { ...SLEEP, serviceAccount: "s.eep" } }],
    no: [{}, ANONYMOUS],
  },
  {
    name: "principals: anyone who is known",
    rule: { from: [{ principals: ["*"] }] },
    yes: [{}],
    no: [ANONYMOUS],
  },
  {
    name: "principals: every name of the mesh's trust domain is the same",
    rule: { from: [{ principals: ["old.example/ns/default/sa/sleep"] }] },
    yes: [{}, ofDomain("old.example")],
    no: [ofDomain("foreign.example")],
  },
  {
    name: "notPrincipals: holds for who is not known",
    rule: { from: [{ notPrincipals: ["cluster.local/ns/default/sa/sleep"] }] },
    yes: [ANONYMOUS, inNamespace("other")],
    no: [{}, ofDomain("old.example")],
  },
  {
    name: "namespaces: prefix, suffix, exact; metacharacters mean nothing",
    rule: { from: [{ namespaces: ["def*", "*-end", "a.c"] }] },
    yes: [{}, inNamespace("the-end"), inNamespace("a.c")],
    no: [inNamespace("abc"), inNamespace("xdef"), ANONYMOUS],
  },
  {
    name: "notNamespaces",
    rule: { from: [{ notNamespaces: ["default"] }] },
    yes: [inNamespace("x"), ANONYMOUS],
    no: [{}],
  },
  {
    name: "serviceAccounts: with namespace, and in the policy's",
    rule: { from: [{ serviceAccounts: ["default/sleep", "local"] }] },
    yes: [
      {},
      ofDomain("foreign.example"),
      { identity: { ...SLEEP, namespace: "ns", serviceAccount: "local" } },
    ],
    no: [inNamespace("x"), { identity: { ...SLEEP, serviceAccount: "local" } }, ANONYMOUS],
  },
  {
    name: "notServiceAccounts",
    rule: { from: [{ notServiceAccounts: ["default/sleep"] }] },
    yes: [inNamespace("x"), ANONYMOUS],
    no: [{}],
  },
  {
    name: "trustDomains, aliases included",
    rule: { from: [{ trustDomains: ["old.*"] }] },
    yes: [{}, ofDomain("old.other")],
    no: [ofDomain("foreign.example"), ANONYMOUS],
  },
  {
    name: "notTrustDomains",
    rule: { from: [{ notTrustDomains: ["cluster.local"] }] },
    yes: [ofDomain("foreign.example"), ANONYMOUS],
    no: [{}, ofDomain("old.example")],
  },
  {
    name: "ipBlocks: who is connected, whatever a header claims",
    rule: { from: [{ ipBlocks: ["10.0.0.0/24", "fd00::/8"] }] },
    yes: [{}, { sourceIp: ip("fd00::1") }],
    no: [{ sourceIp: ip("10.0.1.1"), headers: { "x-forwarded-for": "10.0.0.1" } }],
  },
  {
    name: "notIpBlocks",
    rule: { from: [{ notIpBlocks: ["10.0.0.1"] }] },
    yes: [{ sourceIp: ip("10.0.0.2") }],
    no: [{}],
  },
  {
    name: "remoteIpBlocks: the last that was forwarded for, else who is connected",
    rule: { from: [{ remoteIpBlocks: ["1.2.3.0/24", "10.0.0.1"] }] },
    yes: [
      { headers: { "x-forwarded-for": "9.9.9.9, 1.2.3.4" } },
      {},
      { headers: { "x-forwarded-for": "9.9.9.9, nonsense" } },
    ],
    no: [{ headers: { "x-forwarded-for": "1.2.3.4, 9.9.9.9" } }],
  },
  {
    name: "notRemoteIpBlocks",
    rule: { from: [{ notRemoteIpBlocks: ["1.2.3.4"] }] },
    yes: [{}],
    no: [{ headers: { "x-forwarded-for": "1.2.3.4" } }],
  },
  {
    name: "all kinds of one source, any of several sources",
    rule: { from: [{ namespaces: ["default"], ipBlocks: ["10.0.0.2"] }, { namespaces: ["x"] }] },
    yes: [inNamespace("x"), { sourceIp: ip("10.0.0.2") }],
    no: [{}],
  },
];

const REQUEST_PRINCIPALS: readonly (readonly [
  value: string,
  yes: readonly string[],
  no: readonly string[],
])[] = [
  ["*", ["https://issuer/x/s"], []],
  ["https://issuer/x/s", ["https://issuer/x/s"], ["https://issuer/x/sub", "https://issuer/s"]],
  ["*/s", ["https://issuer/x/s", "i/s"], ["i/xs"]],
  ["*uer/s", ["https://issuer/s"], ["https://issuer/xs", "https://uerx/s"]],
  ["*ub", ["i/sub"], ["i/subx"]],
  ["i/*", ["i/s"], ["ii/s"]],
  ["i/su*", ["i/sub"], ["i/xsub", "ii/sub"]],
  ["iss*", ["issuer/s"], ["xiss/s"]],
  ["is*/s", ["is*/s"], ["iss/s"]],
  ["no-slash", [], ["no-slash/", "no-slash/no-slash"]],
];

describe("source", () => {
  for (const { name, rule, yes, no } of SOURCES)
    test(name, () => {
      for (const request of yes) assert.equal(ruleMatches(rule, request), true, JSON.stringify(request));
      for (const request of no) assert.equal(ruleMatches(rule, request), false, JSON.stringify(request));
    });

  for (const [value, yes, no] of REQUEST_PRINCIPALS)
    test(`requestPrincipals ${value}`, () => {
      const policies = compilePolicies([samplePolicy("allow", [{ from: [{ requestPrincipals: [value] }] }])]);
      const isAllowed = (principal: string): boolean => {
        const slash = principal.lastIndexOf("/");
        const token = { ...TOKEN, issuer: principal.slice(0, slash), subject: principal.slice(slash + 1) };
        return policies.denial(sampleFacts(policies, { token })) === undefined;
      };
      for (const principal of yes) assert.equal(isAllowed(principal), true, principal);
      for (const principal of no) assert.equal(isAllowed(principal), false, principal);
      assert.equal(policies.denial(sampleFacts(policies, {})), "none", "without a token");
      const token = { ...TOKEN, subject: undefined };
      assert.equal(policies.denial(sampleFacts(policies, { token })), "none", "without a subject");
    });

  test("notRequestPrincipals holds without a token", () => {
    const rule = { from: [{ notRequestPrincipals: ["*"] }] };
    assert.equal(ruleMatches(rule, {}), true);
    assert.equal(ruleMatches(rule, { token: TOKEN }), false);
  });

  test("cluster.local is the mesh, whatever its name; another mesh of that name is not", () => {
    const rule = { from: [{ principals: ["cluster.local/ns/default/sa/sleep"] }] };
    const options = { trustDomains: ["prod.example", "old.example"] };
    assert.equal(ruleMatches(rule, ofDomain("prod.example"), options), true);
    assert.equal(ruleMatches(rule, ofDomain("old.example"), options), true);
    assert.equal(ruleMatches(rule, ofDomain("cluster.local"), options), false);
    const suffix = { from: [{ principals: ["*/sa/sleep"] }] };
    assert.equal(ruleMatches(suffix, ofDomain("cluster.local"), options), true);
    const domain = { from: [{ trustDomains: ["cluster.local"] }] };
    assert.equal(ruleMatches(domain, ofDomain("prod.example"), options), true);
    assert.equal(ruleMatches(domain, ofDomain("cluster.local"), options), false);
  });

  test("addresses behind trusted proxies are counted from the right", () => {
    const rule = { from: [{ remoteIpBlocks: ["1.2.3.4"] }] };
    const headers = { "x-forwarded-for": "9.9.9.9, 1.2.3.4, 10.1.1.1" };
    assert.equal(ruleMatches(rule, { headers }, { trustedProxies: 1 }), true);
    assert.equal(ruleMatches(rule, { headers }, { trustedProxies: 2 }), false);
    assert.equal(ruleMatches(rule, { headers }, { trustedProxies: 3 }), false);
  });
});
