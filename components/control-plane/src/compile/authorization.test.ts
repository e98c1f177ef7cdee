import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_MATCH, type Policy, type PolicyMatch, parseCidr } from "@meltemi/model";
import { parseAuthorizationPolicy } from "@meltemi/resources";
import { authorizationPolicyFacts } from "../sources/policies.ts";
import { compileAuthorizationPolicy } from "./authorization.ts";
import { SETTINGS } from "./facts.fixture.ts";
import { stringMatch } from "./policy-match.ts";

function compile(spec: object, metadata: object = {}, settings = SETTINGS) {
  const parsed = parseAuthorizationPolicy({
    metadata: { namespace: "ns", name: "p", generation: 3, ...metadata },
    spec,
  });
  assert.equal(parsed.kind, "ok", JSON.stringify(parsed));
  assert.ok(parsed.kind === "ok");
  return compileAuthorizationPolicy(authorizationPolicyFacts(parsed.value), settings);
}

const match = (fields: Partial<PolicyMatch>): PolicyMatch => ({ ...EMPTY_MATCH, ...fields });
const cidrs = (...texts: string[]) => texts.map((text) => parseCidr(text) ?? assert.fail(text));

const strings = [
  { text: "*", want: { kind: "presence" } },
  { text: "*a", want: { kind: "suffix", value: "a" } },
  { text: "a*", want: { kind: "prefix", value: "a" } },
  { text: "a", want: { kind: "exact", value: "a" } },
  { text: "a*b", want: { kind: "exact", value: "a*b" } },
  { text: "*a*", want: { kind: "suffix", value: "a*" } },
];
for (const { text, want } of strings)
  test(`string match: ${text}`, () => assert.deepEqual(stringMatch(text), want));

const scopes = [
  { name: "selector", spec: { selector: { matchLabels: { a: "b" } } }, ns: "ns", want: "workloadSelector" },
  {
    name: "selector in the root namespace",
    spec: { selector: { matchLabels: { a: "b" } } },
    ns: "istio-system",
    want: "workloadSelector",
  },
  { name: "none", spec: {}, ns: "ns", want: "namespace" },
  { name: "none in the root namespace", spec: {}, ns: "istio-system", want: "global" },
  { name: "empty selector", spec: { selector: {} }, ns: "ns", want: "namespace" },
];
for (const { name, spec, ns, want } of scopes)
  test(`scope: ${name}`, () => assert.equal(compile(spec, { namespace: ns }).policy?.scope, want));

const L4_SOURCE = {
  principals: ["cluster.local/ns/a/sa/b", "*"],
  notPrincipals: ["x*"],
  namespaces: ["n*"],
  notNamespaces: ["*z"],
  ipBlocks: ["10.0.0.0/8"],
  notIpBlocks: ["10.1.2.3"],
};

const conversions: readonly {
  readonly name: string;
  readonly spec: object;
  readonly rules: Policy["rules"];
  readonly verdict: object;
}[] = [
  {
    name: "every L4 attribute; to before from before when",
    spec: {
      rules: [
        {
          from: [{ source: L4_SOURCE }, { source: { serviceAccounts: ["x/y", "z"] } }],
          to: [{ operation: { ports: ["80"], notPorts: ["81"] } }],
          when: [
            { key: "destination.ip", values: ["1.2.3.4"], notValues: ["fd00::/8"] },
            { key: "destination.port", values: ["443"] },
            { key: "source.namespace", values: ["a"] },
            { key: "source.principal", notValues: ["*"] },
            { key: "source.ip", values: ["::1"] },
          ],
        },
      ],
    },
    rules: [
      [
        [match({ destinationPorts: [80], notDestinationPorts: [81] })],
        [
          match({
            principals: [{ kind: "exact", value: "cluster.local/ns/a/sa/b" }, { kind: "presence" }],
            notPrincipals: [{ kind: "prefix", value: "x" }],
            namespaces: [{ kind: "prefix", value: "n" }],
            notNamespaces: [{ kind: "suffix", value: "z" }],
            sourceIps: cidrs("10.0.0.0/8"),
            notSourceIps: cidrs("10.1.2.3/32"),
          }),
          match({
            serviceAccounts: [
              { namespace: "x", serviceAccount: "y" },
              { namespace: "ns", serviceAccount: "z" },
            ],
          }),
        ],
        [match({ destinationIps: cidrs("1.2.3.4/32"), notDestinationIps: cidrs("fd00::/8") })],
        [match({ destinationPorts: [443] })],
        [match({ namespaces: [{ kind: "exact", value: "a" }] })],
        [match({ notPrincipals: [{ kind: "presence" }] })],
        [match({ sourceIps: cidrs("::1/128") })],
      ],
    ],
    verdict: { kind: "enforced" },
  },
  {
    name: "an empty rule matches everything",
    spec: { rules: [{}] },
    rules: [[]],
    verdict: { kind: "enforced" },
  },
  { name: "no rules: an ALLOW that denies everything", spec: {}, rules: [], verdict: { kind: "enforced" } },
  {
    name: "ALLOW: a rule with HTTP attributes is left out as a whole, the others stay",
    spec: {
      rules: [
        {
          from: [{ source: { principals: ["a"] } }],
          to: [{ operation: { methods: ["GET"], ports: ["80"] } }],
        },
        { to: [{ operation: { ports: ["81"] } }] },
      ],
    },
    rules: [[[match({ destinationPorts: [81] })]]],
    verdict: { kind: "partial", attributes: ["methods"], effect: "rulesOmitted" },
  },
  {
    name: "ALLOW of HTTP attributes only allows nothing",
    spec: { rules: [{ to: [{ operation: { paths: ["/a"] } }] }] },
    rules: [],
    verdict: { kind: "partial", attributes: ["paths"], effect: "rulesOmitted" },
  },
  {
    name: "DENY: HTTP attributes beside ports are stripped",
    spec: { action: "DENY", rules: [{ to: [{ operation: { methods: ["GET"], ports: ["8080"] } }] }] },
    rules: [[[match({ destinationPorts: [8080] })]]],
    verdict: { kind: "partial", attributes: ["methods"], effect: "attributesIgnored" },
  },
  {
    name: "DENY: a clause of nothing but HTTP makes the rule inert, and that is said",
    spec: {
      action: "DENY",
      rules: [{ from: [{ source: { principals: ["a"] } }], to: [{ operation: { methods: ["GET"] } }] }],
    },
    rules: [[[EMPTY_MATCH], [match({ principals: [{ kind: "exact", value: "a" }] })]]],
    verdict: { kind: "partial", attributes: ["methods"], effect: "noEffect" },
  },
  {
    name: "DENY: an HTTP condition makes the rule inert",
    spec: {
      action: "DENY",
      rules: [
        {
          when: [
            { key: "source.namespace", values: ["a"] },
            { key: "connection.sni", values: ["b"] },
          ],
        },
      ],
    },
    rules: [[[match({ namespaces: [{ kind: "exact", value: "a" }] })], [EMPTY_MATCH]]],
    verdict: { kind: "partial", attributes: ["connection.sni"], effect: "noEffect" },
  },
  {
    name: "DENY: one inert rule among others",
    spec: {
      action: "DENY",
      rules: [{ to: [{ operation: { hosts: ["a"] } }] }, { to: [{ operation: { ports: ["1"] } }] }],
    },
    rules: [[[EMPTY_MATCH]], [[match({ destinationPorts: [1] })]]],
    verdict: { kind: "partial", attributes: ["hosts"], effect: "someRulesInert" },
  },
  {
    name: "negated and request attributes count as HTTP",
    spec: {
      rules: [
        { to: [{ operation: { notHosts: ["a"], notMethods: ["b"], notPaths: ["/c"] } }] },
        { from: [{ source: { requestPrincipals: ["*"], notRemoteIpBlocks: ["1.1.1.1"] } }] },
        { when: [{ key: "request.headers[x]", values: ["y"] }] },
      ],
    },
    rules: [],
    verdict: {
      kind: "partial",
      attributes: [
        "notHosts",
        "notMethods",
        "notPaths",
        "notRemoteIpBlocks",
        "request.headers[x]",
        "requestPrincipals",
      ],
      effect: "rulesOmitted",
    },
  },
  {
    name: "beyond Istio: trust domains are enforced as the beginning of principals",
    spec: {
      action: "DENY",
      rules: [
        {
          from: [
            { source: { trustDomains: ["evil", "ev*"], notPrincipals: ["a"], notTrustDomains: ["good"] } },
          ],
        },
        { when: [{ key: "source.trustDomain", values: ["*"] }] },
      ],
    },
    rules: [
      [
        [
          match({
            principals: [
              { kind: "prefix", value: "evil/" },
              { kind: "prefix", value: "ev" },
            ],
            notPrincipals: [
              { kind: "exact", value: "a" },
              { kind: "prefix", value: "good/" },
            ],
          }),
        ],
      ],
      [[match({ principals: [{ kind: "presence" }] })]],
    ],
    verdict: { kind: "enforced" },
  },
  {
    name: "a trust domain that principals cannot say is reported, not dropped in silence",
    spec: {
      rules: [
        { from: [{ source: { trustDomains: ["*.example"] } }] },
        { from: [{ source: { trustDomains: ["td"], principals: ["td/ns/a/sa/b"] } }] },
      ],
    },
    rules: [],
    verdict: { kind: "partial", attributes: ["trustDomains"], effect: "rulesOmitted" },
  },
  {
    name: "beyond Istio: source.serviceAccount as a condition is enforced",
    spec: { rules: [{ when: [{ key: "source.serviceAccount", values: ["a"] }] }] },
    rules: [[[match({ serviceAccounts: [{ namespace: "ns", serviceAccount: "a" }] })]]],
    verdict: { kind: "enforced" },
  },
];

for (const { name, spec, rules, verdict } of conversions) {
  test(`AuthorizationPolicy: ${name}`, () => {
    const compiled = compile(spec);
    assert.deepEqual(compiled.policy?.rules, rules);
    assert.deepEqual(compiled.verdict, verdict);
  });
}

const notSent = [
  { name: "AUDIT", spec: { action: "AUDIT" }, verdict: { kind: "unsupported", what: "AUDIT action" } },
  {
    name: "CUSTOM",
    spec: { action: "CUSTOM", provider: { name: "x" } },
    verdict: { kind: "unsupported", what: "CUSTOM action" },
  },
  {
    name: "targetRefs",
    spec: { targetRefs: [{ group: "", kind: "Service", name: "a" }] },
    verdict: { kind: "notForZtunnel" },
  },
];
for (const { name, spec, verdict } of notSent)
  test(`not sent to ztunnel: ${name}`, () => assert.deepEqual(compile(spec), { policy: undefined, verdict }));

test("dry run is sent only when it is switched on: older ztunnels would enforce it", () => {
  const metadata = { annotations: { "istio.io/dry-run": "true" } };
  assert.deepEqual(compile({}, metadata).verdict, { kind: "unsupported", what: "dry run" });
  assert.equal(compile({}, metadata, { ...SETTINGS, dryRunPolicies: true }).policy?.dryRun, true);
});
