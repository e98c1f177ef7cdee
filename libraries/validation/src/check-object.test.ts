import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkObject } from "./check-object.ts";
import { Findings } from "./findings.ts";
import { KNOWN_KINDS } from "./kinds.ts";
import { formatPath } from "./path.ts";
import { templateProblem } from "./rules/authorization-policy.ts";
import { warningsOf } from "./warnings.ts";

const GROUPS: Readonly<Record<string, string>> = {
  AuthorizationPolicy: "security.istio.io",
  PeerAuthentication: "security.istio.io",
  RequestAuthentication: "security.istio.io",
  Telemetry: "telemetry.istio.io",
  RateLimitPolicy: "meltemi.io",
  HTTPRoute: "gateway.networking.k8s.io",
  WasmPlugin: "extensions.istio.io",
};
const VERSIONS: Readonly<Record<string, string>> = { RateLimitPolicy: "v1alpha1", WasmPlugin: "v1alpha1" };

function problems(kind: string, spec: unknown): readonly string[] {
  const apiVersion = `${GROUPS[kind] ?? "networking.istio.io"}/${VERSIONS[kind] ?? "v1"}`;
  const findings = new Findings();
  checkObject({ apiVersion, kind, metadata: { name: "a", namespace: "b" }, spec }, [], findings);
  return findings.all.map(({ path, problem }) => `${formatPath(path)}: ${problem}`);
}

const to = (...hosts: string[]) => hosts.map((host) => ({ destination: { host } }));
const http = (route: object) => ({ hosts: ["reviews"], http: [{ route: to("reviews"), ...route }] });
const subset = (name: string) => ({ name, labels: { version: name } });

const SOUND = [
  { name: "a plain VirtualService", kind: "VirtualService", spec: http({}) },
  {
    name: "a weight of 0 beside another",
    kind: "VirtualService",
    spec: http({
      route: [
        { ...to("a")[0], weight: 0 },
        { ...to("b")[0], weight: 100 },
      ],
    }),
  },
  {
    name: "null for what is left out",
    kind: "VirtualService",
    spec: { ...http({ mirrors: null, retries: { attempts: 0, retryOn: null } }), gateways: null, tls: null },
  },
  {
    name: "null for no rules",
    kind: "AuthorizationPolicy",
    spec: { selector: null, targetRefs: null, rules: null },
  },
  {
    name: "null for no policy",
    kind: "DestinationRule",
    spec: {
      host: "a",
      trafficPolicy: null,
      subsets: [{ name: "v1", trafficPolicy: { loadBalancer: { localityLbSetting: { failover: null } } } }],
    },
  },
  {
    name: "names of which only the ends differ",
    kind: "HTTPRoute",
    spec: {
      rules: [
        {
          matches: [
            { headers: ["1", "2"].map((end) => ({ name: `x-${"y".repeat(90)}-${end}`, value: "z" })) },
          ],
        },
      ],
    },
  },
  { name: "a delegate", kind: "VirtualService", spec: { http: [{ route: to("reviews.shop") }] } },
  {
    name: "hosts of all forms",
    kind: "VirtualService",
    spec: { ...http({}), hosts: ["reviews", "*.example.com", "10.0.0.1", "a.b.svc.cluster.local"] },
  },
  {
    name: "everything, at a gateway",
    kind: "VirtualService",
    spec: { ...http({}), hosts: ["*"], gateways: ["g"] },
  },
  {
    name: "a DestinationRule",
    kind: "DestinationRule",
    spec: { host: "*.example.com", subsets: [subset("v1"), subset("v2")] },
  },
  {
    name: "a DestinationRule with a Secret",
    kind: "DestinationRule",
    spec: { host: "a", trafficPolicy: { tls: { mode: "MUTUAL", credentialName: "c" } } },
  },
  {
    name: "a policy for a waypoint's service",
    kind: "AuthorizationPolicy",
    spec: {
      targetRefs: [{ kind: "Service", name: "reviews" }],
      rules: [{ to: [{ operation: { paths: ["/a/{*}/b/{**}"] } }] }],
    },
  },
  {
    name: "a rule that matches everything",
    kind: "AuthorizationPolicy",
    spec: { action: "DENY", rules: [{}] },
  },
] as const;
for (const { name, kind, spec } of SOUND)
  test(`checkObject takes ${name}`, () => assert.deepEqual(problems(kind, spec), []));

/** The value with one of its fields null, for each field at any depth. */
function* withNulls(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const others = [null, ...withNulls(inner)];
    for (const other of others)
      yield Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other };
  }
}

for (const { name, kind, spec } of SOUND)
  test(`checkObject and warningsOf judge ${name} with any field null`, () => {
    for (const one of withNulls(spec))
      if (problems(kind, one).length === 0)
        warningsOf(GROUPS[kind] ?? "networking.istio.io", kind, { spec: one });
  });

const REFUSED = [
  {
    name: "selector and targetRefs",
    kind: "AuthorizationPolicy",
    spec: { selector: { matchLabels: { a: "b" } }, targetRefs: [{ kind: "Service", name: "x" }] },
    want: ["spec: only one of targetRefs or selector can be set"],
  },
  {
    name: "empty clauses",
    kind: "AuthorizationPolicy",
    spec: { rules: [{ from: [], to: [], when: [] }] },
    want: ["from", "to", "when"].map(
      (clause) => `spec.rules[0].${clause}: expected at least one entry, or no such field, got an empty list`,
    ),
  },
  {
    name: "an address that is none",
    kind: "AuthorizationPolicy",
    spec: { rules: [{ from: [{ source: { ipBlocks: ["10.0.0.0/33"] } }] }] },
    want: [
      'spec.rules[0].from[0].source.ipBlocks[0]: expected an IP address or CIDR block, got "10.0.0.0/33"',
    ],
  },
  {
    name: "a provider that nobody asks",
    kind: "AuthorizationPolicy",
    spec: { action: "CUSTOM", provider: { name: "p" } },
    want: ["spec.rules: expected at least one rule with action CUSTOM: without, nobody is ever asked"],
  },
  {
    name: "a denial of nothing",
    kind: "AuthorizationPolicy",
    spec: { action: "DENY", rules: null },
    want: [
      "spec.rules: expected at least one rule with action DENY: without, nothing is ever denied; {} denies everything",
    ],
  },
  {
    name: "a template with an operator inside a segment",
    kind: "AuthorizationPolicy",
    spec: { rules: [{ to: [{ operation: { paths: ["/a", "/{*}.txt"] } }] }] },
    want: [
      'spec.rules[0].to[0].operation.paths[1]: expected {*} or {**} to fill a whole segment of the path template, got "/{*}.txt"',
    ],
  },
  {
    name: "a target of another kind",
    kind: "Telemetry",
    spec: { targetRefs: [{ group: "apps", kind: "Deployment", name: "x" }] },
    want: [
      "spec.targetRefs[0].kind: expected Gateway, GatewayClass, Service or ServiceEntry of their own groups, got apps/Deployment",
    ],
  },
  {
    name: "no route",
    kind: "VirtualService",
    spec: { hosts: ["a"] },
    want: ["spec: expected at least one route in http, tls or tcp, got none"],
  },
  {
    name: "no hosts at a gateway",
    kind: "VirtualService",
    spec: { gateways: ["g"], http: [{ route: to("a") }] },
    want: [
      "spec.hosts: expected at least one host: only a delegate has none, and a delegate has no gateways",
    ],
  },
  {
    name: "hosts twice, and one that is none",
    kind: "VirtualService",
    spec: { ...http({}), hosts: ["a", "a", "b c"] },
    want: [
      'spec.hosts[1]: expected each host once, got "a" again',
      'spec.hosts[2]: expected a host name, *, *.<domain> or an IP address, got "b c"',
    ],
  },
  {
    name: "weights without a sum",
    kind: "VirtualService",
    spec: http({ route: to("a", "b") }),
    want: [
      "spec.http[0].route: expected weights with a sum above 0 where there are several destinations, got 0",
    ],
  },
  {
    name: "a route and a redirect",
    kind: "VirtualService",
    spec: http({ redirect: { uri: "/" } }),
    want: ["spec.http[0]: exactly one of route, redirect, directResponse and delegate must be set"],
  },
  {
    name: "a wildcard as destination",
    kind: "VirtualService",
    spec: http({ route: to("*.example.com") }),
    want: ['spec.http[0].route[0].destination.host: expected the name of a service, got "*.example.com"'],
  },
  {
    name: "the whole mesh as host",
    kind: "VirtualService",
    spec: { ...http({}), hosts: ["*"] },
    want: ['spec.hosts[0]: expected a host of the mesh, got "*": it is for gateways only'],
  },
  {
    name: "subsets twice",
    kind: "DestinationRule",
    spec: { host: "a", subsets: [subset("v1"), subset("v1")] },
    want: ["spec.subsets: names must be unique"],
  },
  {
    name: "a subset that cannot be part of a name",
    kind: "DestinationRule",
    spec: { host: "a", subsets: [subset("v 2")] },
    want: ['spec.subsets[0].name: expected a name of 1 to 63 letters, digits, - _ or ., got "v 2"'],
  },
  {
    name: "certificates beside the mesh's own, and none",
    kind: "DestinationRule",
    spec: {
      host: "a",
      trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", credentialName: "c" } },
      subsets: [{ name: "v1", trafficPolicy: { tls: { mode: "MUTUAL", clientCertificate: "/c" } } }],
    },
    want: [
      "spec.trafficPolicy.tls.credentialName: expected none with mode ISTIO_MUTUAL: the mesh's own certificate is used",
      "spec.subsets[0].trafficPolicy.tls.privateKey: expected a value with mode MUTUAL, or credentialName",
    ],
  },
  {
    name: "localities that do not add up",
    kind: "DestinationRule",
    spec: {
      host: "a",
      trafficPolicy: {
        loadBalancer: { localityLbSetting: { distribute: [{ from: "r1/*", to: { "r1/*": 90 } }] } },
      },
    },
    want: [
      "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: expected weights with a sum of 100, got 90",
    ],
  },
  {
    name: "a Gateway without servers",
    kind: "Gateway",
    spec: {},
    want: ["spec.servers: expected at least one server, got none"],
  },
] as const;
for (const { name, kind, spec, want } of REFUSED)
  test(`checkObject refuses ${name}`, () => assert.deepEqual(problems(kind, spec), want));

const TEMPLATES = [
  { text: "/plain*", ok: true },
  { text: "/a/{*}", ok: true },
  { text: "/a/{*}/b/{**}", ok: true },
  { text: "/{**}/{*}", ok: false },
  { text: "/{**}/{**}", ok: false },
  { text: "/{***}", ok: false },
  { text: "/a*/{*}", ok: false },
  { text: "/{a}", ok: false },
];
for (const { text, ok } of TEMPLATES)
  test(`templateProblem: ${text} is ${ok ? "taken" : "refused"}`, () =>
    assert.equal(templateProblem(text) === undefined, ok));

test("any object is judged, within the bound of findings and without an error", () => {
  const kinds = KNOWN_KINDS.map(({ group, kind, schemas }) => ({
    apiVersion: `${group}/${[...schemas.keys()][0]}`,
    kind,
  }));
  /** Specs that come near: fields of real kinds with values of any kind. */
  const spec = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        hosts: fc.array(fc.oneof(fc.string(), fc.constantFrom("a", "*", "*.b"))),
        host: fc.string(),
        http: fc.array(
          fc.record({
            route: fc.array(fc.record({ destination: fc.record({ host: fc.string() }), weight: fc.nat() })),
          }),
        ),
        rules: fc.array(
          fc.record({ to: fc.array(fc.record({ operation: fc.record({ paths: fc.array(fc.string()) }) })) }),
        ),
        subsets: fc.array(fc.record({ name: fc.string(), trafficPolicy: fc.jsonValue() })),
        targetRefs: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...kinds), spec, fc.jsonValue(), (kind, value, metadata) => {
      for (const object of [
        { ...kind, metadata: { name: "a" }, spec: value },
        { ...kind, metadata, spec: value },
      ]) {
        const findings = new Findings();
        checkObject(object, [], findings);
        assert.ok(findings.all.length <= 200);
        const group = kind.apiVersion.slice(0, kind.apiVersion.indexOf("/"));
        if (findings.all.length === 0) warningsOf(group, kind.kind, object);
      }
    }),
    { numRuns: 1500 },
  );
});
