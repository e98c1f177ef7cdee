import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EMPTY_MATCH,
  type Identity,
  ip,
  type Policy,
  type PolicyMatch,
  parseCidr,
  type StringMatch,
} from "@meltemi/model";
import fc from "fast-check";
import { decideAuthorization } from "./decide.ts";
import type { L4Connection } from "./match.ts";

const CLIENT: Identity = { trustDomain: "td", namespace: "demo", serviceAccount: "client" };
const PLAINTEXT: L4Connection = { sourceIp: ip("10.0.0.1"), destination: { ip: ip("10.0.0.2"), port: 8080 } };
const MUTUAL: L4Connection = { ...PLAINTEXT, identity: CLIENT };

const exact = (value: string): StringMatch => ({ kind: "exact", value });
const prefix = (value: string): StringMatch => ({ kind: "prefix", value });
const suffix = (value: string): StringMatch => ({ kind: "suffix", value });
const presence: StringMatch = { kind: "presence" };
const net = (text: string): NonNullable<ReturnType<typeof parseCidr>> => {
  const network = parseCidr(text);
  assert.ok(network !== undefined);
  return network;
};
const match = (given: Partial<PolicyMatch>): PolicyMatch => ({ ...EMPTY_MATCH, ...given });
const policy = (name: string, action: Policy["action"], rules: Policy["rules"], dryRun = false): Policy => ({
  name,
  namespace: "ns",
  scope: "namespace",
  action,
  rules,
  dryRun,
});
const EVERYTHING: Policy["rules"] = [[]];
const NOTHING: Policy["rules"] = [];

/** Whether a lone ALLOW policy with these rules lets the connection in: that is whether it matches. */
const allows = (rules: Policy["rules"], connection: L4Connection): boolean =>
  decideAuthorization({ policies: [policy("p", "allow", rules)], missing: [] }, connection).kind === "allow";

const yes = match({ destinationPorts: [8080] });
const no = match({ destinationPorts: [9999] });
for (const [name, rules, want] of [
  ["no rules match nothing", [], false],
  ["a rule without clauses matches everything", [[]], true],
  ["a clause without matches matches everything", [[[]]], true],
  ["a match without conditions matches nothing", [[[EMPTY_MATCH]]], false],
  ["a match without conditions is skipped beside others", [[[EMPTY_MATCH, yes]]], true],
  ["a clause of empty matches spoils its rule", [[[yes], [EMPTY_MATCH]]], false],
  ["any rule will do", [[[no]], [[yes]]], true],
  ["no rule does", [[[no]], [[no]]], false],
  ["every clause must", [[[yes], [no]]], false],
  ["every clause does", [[[yes], [yes]]], true],
  ["any match of a clause will do", [[[no, yes]]], true],
] as const)
  test(`nesting: ${name}`, () => assert.equal(allows(rules, MUTUAL), want));

const principal = "td/ns/demo/sa/client";
for (const [name, given, onMutual, onPlaintext] of [
  ["principals exact", { principals: [exact(principal)] }, true, false],
  ["principals exact with scheme", { principals: [exact(`spiffe://${principal}`)] }, false, false],
  ["principals other", { principals: [exact("td/ns/demo/sa/other")] }, false, false],
  ["principals prefix", { principals: [prefix("td/ns/demo/")] }, true, false],
  ["principals prefix miss", { principals: [prefix("td/ns/x/")] }, false, false],
  ["principals suffix", { principals: [suffix("/sa/client")] }, true, false],
  ["principals suffix miss", { principals: [suffix("/sa/other")] }, false, false],
  ["principals presence", { principals: [presence] }, true, false],
  ["principals any of two", { principals: [exact("x"), exact(principal)] }, true, false],
  ["notPrincipals exact", { notPrincipals: [exact(principal)] }, false, true],
  ["notPrincipals other", { notPrincipals: [exact("x")] }, true, true],
  ["notPrincipals presence (STRICT)", { notPrincipals: [presence] }, false, true],
  [
    "principals and notPrincipals",
    { principals: [presence], notPrincipals: [exact(principal)] },
    false,
    false,
  ],
  ["namespaces exact", { namespaces: [exact("demo")] }, true, false],
  ["namespaces prefix", { namespaces: [prefix("de")] }, true, false],
  ["namespaces suffix", { namespaces: [suffix("mo")] }, true, false],
  ["namespaces empty prefix", { namespaces: [prefix("")] }, true, true],
  ["namespaces presence", { namespaces: [presence] }, true, false],
  ["notNamespaces exact", { notNamespaces: [exact("demo")] }, false, true],
  ["notNamespaces other", { notNamespaces: [exact("other")] }, true, true],
  ["serviceAccounts", { serviceAccounts: [{ namespace: "demo", serviceAccount: "client" }] }, true, false],
  [
    "serviceAccounts other name",
    { serviceAccounts: [{ namespace: "demo", serviceAccount: "x" }] },
    false,
    false,
  ],
  [
    "serviceAccounts other namespace",
    { serviceAccounts: [{ namespace: "x", serviceAccount: "client" }] },
    false,
    false,
  ],
  [
    "notServiceAccounts",
    { notServiceAccounts: [{ namespace: "demo", serviceAccount: "client" }] },
    false,
    true,
  ],
  ["sourceIps inside", { sourceIps: [net("10.0.0.0/24")] }, true, true],
  ["sourceIps outside", { sourceIps: [net("10.0.1.0/24")] }, false, false],
  ["sourceIps of the other family", { sourceIps: [net("::/0")] }, false, false],
  ["notSourceIps inside", { notSourceIps: [net("10.0.0.1/32")] }, false, false],
  ["notSourceIps outside", { notSourceIps: [net("10.0.0.9/32")] }, true, true],
  ["destinationIps", { destinationIps: [net("10.0.0.2/32")] }, true, true],
  ["destinationIps miss", { destinationIps: [net("10.0.0.1/32")] }, false, false],
  ["notDestinationIps", { notDestinationIps: [net("10.0.0.2")] }, false, false],
  ["destinationPorts", { destinationPorts: [80, 8080] }, true, true],
  ["destinationPorts miss", { destinationPorts: [80] }, false, false],
  ["notDestinationPorts", { notDestinationPorts: [8080] }, false, false],
  ["notDestinationPorts miss", { notDestinationPorts: [80] }, true, true],
  ["all kinds must hold", { principals: [exact(principal)], destinationPorts: [8080] }, true, false],
  ["one kind fails", { principals: [exact(principal)], destinationPorts: [80] }, false, false],
] as const)
  test(`predicate: ${name}`, () => {
    assert.equal(allows([[[match(given)]]], MUTUAL), onMutual, "with identity");
    assert.equal(allows([[[match(given)]]], PLAINTEXT), onPlaintext, "without");
  });

test("predicates see IPv6", () => {
  const connection: L4Connection = { sourceIp: ip("fd00::1"), destination: { ip: ip("fd00::2"), port: 1 } };
  assert.equal(
    allows([[[match({ sourceIps: [net("fd00::/64")], destinationIps: [net("fd00::2")] })]]], connection),
    true,
  );
  assert.equal(allows([[[match({ sourceIps: [net("0.0.0.0/0")] })]]], connection), false);
});

for (const [name, policies, want] of [
  ["no policy at all allows", [], "allow"],
  ["a DENY that matches", [policy("d", "deny", EVERYTHING)], "deny by ns/d: explicitly denied by: ns/d"],
  ["a DENY that does not", [policy("d", "deny", [[[no]]])], "allow"],
  ["a DENY without rules is nothing", [policy("d", "deny", NOTHING)], "allow"],
  [
    "an ALLOW without rules denies all",
    [policy("a", "allow", NOTHING)],
    "deny: allow policies exist, but none allowed",
  ],
  ["an ALLOW that matches", [policy("a", "allow", EVERYTHING)], "allow by ns/a"],
  ["the second ALLOW", [policy("a", "allow", NOTHING), policy("b", "allow", EVERYTHING)], "allow by ns/b"],
  [
    "DENY before ALLOW",
    [policy("a", "allow", EVERYTHING), policy("d", "deny", EVERYTHING)],
    "deny by ns/d: explicitly denied by: ns/d",
  ],
  ["a DENY dry run only logs", [policy("d", "deny", EVERYTHING, true)], "allow"],
  ["an ALLOW dry run neither allows nor makes others needed", [policy("a", "allow", NOTHING, true)], "allow"],
  [
    "an ALLOW dry run does not rescue",
    [policy("a", "allow", EVERYTHING, true), policy("b", "allow", NOTHING)],
    "deny: allow policies exist, but none allowed",
  ],
] as const)
  test(`order: ${name}`, () => {
    const decision = decideAuthorization({ policies, missing: [] }, MUTUAL);
    assert.ok(decision.kind !== "undetermined");
    const by = decision.by === undefined ? "" : ` by ${decision.by}`;
    const message = decision.kind === "deny" ? `: ${decision.message}` : "";
    assert.equal(`${decision.kind}${by}${message}`, want);
  });

test("dry runs report what they would have done", () => {
  const decision = decideAuthorization(
    { policies: [policy("d", "deny", EVERYTHING, true), policy("a", "allow", [[[no]]], true)], missing: [] },
    MUTUAL,
  );
  assert.ok(decision.kind === "allow");
  assert.deepEqual(decision.dryRun, [
    { policy: "ns/d", action: "deny", matched: true },
    { policy: "ns/a", action: "allow", matched: false },
  ]);
});

test("a policy that has not arrived leaves the decision open, unless a known one denies", () => {
  const missing = ["ns/late"];
  assert.deepEqual(decideAuthorization({ policies: [], missing }, MUTUAL), { kind: "undetermined", missing });
  assert.deepEqual(decideAuthorization({ policies: [policy("a", "allow", EVERYTHING)], missing }, MUTUAL), {
    kind: "undetermined",
    missing,
  });
  const denied = decideAuthorization({ policies: [policy("d", "deny", EVERYTHING)], missing }, MUTUAL);
  assert.equal(denied.kind, "deny");
});

test("whatever the policies: a matching DENY denies, and adding a DENY never allows more", () => {
  const arbitraryMatch = fc.record({
    destinationPorts: fc.subarray([8080, 80]),
    notDestinationPorts: fc.subarray([8080, 80]),
    principals: fc.subarray([exact(principal), presence, prefix("x")]),
    notPrincipals: fc.subarray([presence, exact("x")]),
  });
  const rules = fc.array(fc.array(fc.array(arbitraryMatch.map(match), { maxLength: 2 }), { maxLength: 2 }), {
    maxLength: 2,
  });
  const arbitraryPolicy = fc
    .tuple(fc.constantFrom("allow" as const, "deny" as const), rules)
    .map(([action, given]) => policy("p", action, given));
  fc.assert(
    fc.property(
      fc.array(arbitraryPolicy),
      rules,
      fc.constantFrom(MUTUAL, PLAINTEXT),
      (policies, extra, connection) => {
        const before = decideAuthorization({ policies, missing: [] }, connection).kind;
        const denied = [...policies, policy("d", "deny", extra)];
        const after = decideAuthorization({ policies: denied, missing: [] }, connection).kind;
        if (before === "deny") assert.equal(after, "deny");
        const all = [...policies, policy("d", "deny", EVERYTHING)];
        assert.equal(decideAuthorization({ policies: all, missing: [] }, connection).kind, "deny");
      },
    ),
  );
});
