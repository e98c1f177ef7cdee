import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TargetRef, TelemetrySpec, TokenRule } from "@meltemi/resources";
import { authorizationPolicyFacts, namespaceFacts, serviceFacts, waypointFacts } from "../facts.fixture.ts";
import type { RateLimitPolicyFacts } from "./facts.ts";
import { compileTraffic, type Fill, servedService, waypointSettings } from "./traffic.fixture.ts";
import type { ExtensionProvider } from "./traffic-settings.ts";

const GATEWAY_API = "gateway.networking.k8s.io";
const SERVICE: TargetRef = { group: "", kind: "Service", name: "svc" };
const GATEWAY: TargetRef = { group: GATEWAY_API, kind: "Gateway", name: "waypoint" };
const CLASS: TargetRef = { group: GATEWAY_API, kind: "GatewayClass", name: "istio-waypoint" };

function authorization(fields: Parameters<typeof authorizationPolicyFacts>[0]): Fill {
  const facts = authorizationPolicyFacts(fields);
  return ({ authorizationPolicies }) =>
    void authorizationPolicies.put(`${facts.namespace}/${facts.name}`, facts);
}

describe("AuthorizationPolicy", () => {
  const cases: readonly {
    readonly name: string;
    readonly fields: Parameters<typeof authorizationPolicyFacts>[0];
    readonly service: boolean;
    readonly waypoint: boolean;
  }[] = [
    { name: "of the service", fields: { targetRefs: [SERVICE] }, service: true, waypoint: false },
    { name: "of the Gateway", fields: { targetRefs: [GATEWAY] }, service: true, waypoint: true },
    {
      name: "of the class, from the root namespace",
      fields: { namespace: "istio-system", targetRefs: [CLASS] },
      service: true,
      waypoint: true,
    },
    {
      name: "of the class, from elsewhere",
      fields: { targetRefs: [CLASS] },
      service: false,
      waypoint: false,
    },
    {
      name: "of a service of that name elsewhere",
      fields: { namespace: "other", targetRefs: [SERVICE] },
      service: false,
      waypoint: false,
    },
    { name: "with a selector", fields: { selector: { app: "a" } }, service: false, waypoint: false },
    { name: "of its namespace", fields: {}, service: false, waypoint: false },
  ];
  for (const { name, fields, service, waypoint } of cases)
    test(name, () => {
      const compiler = compileTraffic([authorization(fields)]);
      assert.equal(servedService(compiler).policies.length, service ? 1 : 0);
      assert.equal(waypointSettings(compiler).policies.length, waypoint ? 1 : 0);
    });

  test("all in one pool, by name; accounts get the policy's namespace", () => {
    const source = {
      principals: [],
      notPrincipals: [],
      requestPrincipals: [],
      notRequestPrincipals: [],
      namespaces: [],
      notNamespaces: [],
      serviceAccounts: ["a", "x/b"],
      notServiceAccounts: ["c"],
      ipBlocks: [],
      notIpBlocks: [],
      remoteIpBlocks: [],
      notRemoteIpBlocks: [],
      trustDomains: [],
      notTrustDomains: [],
    };
    const compiler = compileTraffic([
      authorization({ name: "b", targetRefs: [SERVICE], rules: [{ from: [source], to: [], when: [] }] }),
      authorization({ name: "a", targetRefs: [GATEWAY], action: "DENY" }),
    ]);
    const { policies } = servedService(compiler);
    assert.deepEqual(
      policies.map(({ name, action }) => [name, action]),
      [
        ["a", "deny"],
        ["b", "allow"],
      ],
    );
    assert.deepEqual(policies[1]?.rules[0]?.from[0]?.serviceAccounts, ["ns/a", "x/b"]);
    assert.deepEqual(policies[1]?.rules[0]?.from[0]?.notServiceAccounts, ["ns/c"]);
  });

  const OPA: ExtensionProvider = {
    kind: "authorizer",
    name: "opa",
    service: { namespace: undefined, host: "far.other.svc.cluster.local", port: 80 },
    authorizer: {
      protocol: "grpc",
      timeoutMs: 1000,
      pathPrefix: "",
      failOpen: false,
      statusOnError: 403,
      clearRouteCache: false,
      includeRequestHeaders: [],
      includeAdditionalHeaders: [],
      headersToUpstreamOnAllow: [],
      headersToDownstreamOnDeny: [],
      headersToDownstreamOnAllow: [],
    },
  };
  test("CUSTOM asks its provider, which every waypoint can reach", () => {
    const custom = authorization({ targetRefs: [SERVICE], action: "CUSTOM", provider: "opa" });
    const compiler = compileTraffic([custom], { providers: [OPA] });
    assert.deepEqual(servedService(compiler).policies[0]?.action, { provider: "opa" });
    const settings = waypointSettings(compiler);
    assert.equal(settings.authorizers[0]?.cluster, "outbound|80||far.other.svc.cluster.local");
    assert.equal(settings.clusters[0]?.protocol, "http2");
  });
  test("CUSTOM without a provider that is there denies, dry run or not", () => {
    const rules = [{ from: [], to: [], when: [] }];
    const fields = { targetRefs: [SERVICE], action: "CUSTOM", rules, dryRun: true } as const;
    for (const provider of [{}, { provider: "gone" }]) {
      const [policy] = servedService(compileTraffic([authorization({ ...fields, ...provider })])).policies;
      assert.equal(policy?.action, "deny");
      assert.equal(policy?.dryRun, false);
      assert.equal(policy?.name, "ap-deny-due-to-bad-CUSTOM-action");
      assert.equal(policy?.rules.length, 1);
    }
  });
  test("a provider whose service is not there has no endpoints", () => {
    const service = { namespace: undefined, host: "gone.example", port: 80 };
    const compiler = compileTraffic([], { providers: [{ ...OPA, service }] });
    assert.deepEqual(waypointSettings(compiler).clusters[0]?.service.hostname, "unusable.gone.example");
  });
});

describe("RequestAuthentication", () => {
  const rule = (fields: Partial<TokenRule>): TokenRule => ({
    issuer: "a",
    audiences: [],
    keys: { kind: "inline", jwks: '{"keys":[]}' },
    timeoutMs: 5000,
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    spaceDelimitedClaims: [],
    ...fields,
  });
  const authentication = (rules: readonly TokenRule[], targetRefs = [SERVICE]): Fill => {
    const identity = { namespace: "ns", name: "ra", createdMs: 0, generation: 1 };
    return ({ requestAuthentications }) =>
      void requestAuthentications.put("ns/ra", { ...identity, targetRefs, rules });
  };
  const keysOf = (fills: readonly Fill[]): readonly string[] =>
    servedService(compileTraffic(fills)).jwtRules.map(({ jwks }) => jwks);

  test("by issuer, names of headers in lower case", () => {
    const rules = [rule({ issuer: "b" }), rule({ fromHeaders: [{ name: "X-Token", prefix: "t " }] })];
    const compiled = servedService(compileTraffic([authentication(rules)])).jwtRules;
    assert.deepEqual(
      compiled.map(({ issuer, fromHeaders }) => [issuer, fromHeaders[0]?.name]),
      [
        ["a", "x-token"],
        ["b", undefined],
      ],
    );
  });
  test("keys that were not fetched are a set that no token is good for", () => {
    const keys = { kind: "uri", uri: "https://keys.example" } as const;
    assert.deepEqual(keysOf([authentication([rule({ keys })])]), ['{"keys":[]}']);
    const fetched: Fill = ({ keySets }) =>
      void keySets.put("uri:https://keys.example", { source: "", jwks: '{"keys":[1]}' });
    assert.deepEqual(keysOf([authentication([rule({ keys })]), fetched]), ['{"keys":[1]}']);
  });
  test("without targets it is none of a waypoint's", () =>
    assert.deepEqual(keysOf([authentication([rule({})], [])]), []));
});

describe("RateLimitPolicy", () => {
  const policy = (limits: RateLimitPolicyFacts["limits"], name = "rl"): Fill => {
    const identity = { namespace: "ns", name, createdMs: 0, generation: 3 };
    return ({ rateLimitPolicies }) =>
      void rateLimitPolicies.put(`ns/${name}`, { ...identity, targetRefs: [SERVICE], limits });
  };
  const global = (host: string) =>
    ({ kind: "global", domain: "d", host, port: 80, timeoutMs: 100, failOpen: false }) as const;

  test("local buckets as they stand", () => {
    const limit = { kind: "local", requests: 10, perMs: 1000, burst: 20 } as const;
    const keys = [{ kind: "header", name: "x-user" }] as const;
    const compiler = compileTraffic([policy([{ operations: [], keys, limit }])]);
    assert.deepEqual(servedService(compiler).rateLimits, [
      { namespace: "ns", name: "rl", operations: [], keys, limit },
    ]);
    const [report] = compiler.outputs.rateLimitReports.values();
    assert.deepEqual(report?.targets[0]?.outcome, { kind: "bound", to: "ns/waypoint" });
    assert.deepEqual(report?.missingServices, []);
  });
  test("the global service is in the waypoint's settings, spoken to in HTTP/2", () => {
    const compiler = compileTraffic([policy([{ operations: [], keys: [], limit: global("v1") }])]);
    const [limit] = servedService(compiler).rateLimits;
    const name = "outbound|80||v1.ns.svc.cluster.local";
    assert.ok(limit?.limit.kind === "global");
    assert.equal(limit.limit.cluster, name);
    assert.deepEqual(
      waypointSettings(compiler).clusters.map((cluster) => [cluster.name, cluster.protocol]),
      [[name, "http2"]],
    );
  });
  test("a service that is not there is told", () => {
    const compiler = compileTraffic([policy([{ operations: [], keys: [], limit: global("gone") }])]);
    const [report] = compiler.outputs.rateLimitReports.values();
    assert.deepEqual(report?.missingServices, ["service gone.ns.svc.cluster.local was not found"]);
  });
});

describe("Telemetry", () => {
  const telemetry = (
    namespace: string,
    spec: TelemetrySpec,
    targetRefs: readonly TargetRef[] = [],
    hasSelector = false,
  ): Fill => {
    const name = `t${targetRefs.length}${hasSelector}`;
    const facts = { namespace, name, createdMs: 0, generation: 1, targetRefs, hasSelector, spec };
    return ({ telemetries }) => void telemetries.put(`${namespace}/${name}`, facts);
  };
  const telemetryOf = (fills: readonly Fill[], traffic = {}) =>
    servedService(compileTraffic(fills, traffic)).telemetry;
  const logging = (disabled: boolean): TelemetrySpec => ({ accessLogging: [{ disabled }] });

  test("access log: the mesh, then the narrowest word", () => {
    assert.equal(telemetryOf([]).accessLog.kind, "off");
    assert.equal(telemetryOf([], { accessLog: true }).accessLog.kind, "on");
    const root = telemetry("istio-system", logging(false));
    assert.equal(telemetryOf([root]).accessLog.kind, "on");
    assert.equal(telemetryOf([root, telemetry("ns", logging(true))]).accessLog.kind, "off");
    assert.equal(
      telemetryOf([root, telemetry("ns", logging(true)), telemetry("ns", logging(false), [SERVICE])])
        .accessLog.kind,
      "on",
    );
    assert.equal(telemetryOf([telemetry("ns", logging(false), [], true)]).accessLog.kind, "off");
    assert.equal(telemetryOf([telemetry("other", logging(false))]).accessLog.kind, "off");
  });
  test("it is of the service's namespace, whosever the waypoint is", () => {
    const bind: Fill = ({ services, waypoints, namespaces }) => {
      namespaces.put("ns", namespaceFacts());
      waypoints.put("infra/far", waypointFacts({ namespace: "infra", name: "far", listeners: [] }));
      const waypoint = { useWaypoint: "far", useWaypointNamespace: "infra" };
      services.put("ns/svc", serviceFacts({ waypoint }));
    };
    const allowed: Fill = ({ waypoints }) => {
      const listeners = [{ port: 15008, protocol: "HBONE", allowedNamespaces: { kind: "all" } as const }];
      waypoints.put("infra/far", waypointFacts({ namespace: "infra", name: "far", listeners }));
    };
    const compiler = compileTraffic([bind, allowed, telemetry("ns", logging(false))]);
    assert.equal(servedService(compiler, "infra/far").telemetry.accessLog.kind, "on");
  });
  test("metrics: overrides of all, the wider first", () => {
    const metric = (name: string, disabled: boolean): TelemetrySpec => ({
      metrics: [{ overrides: [{ match: { metric: name }, disabled }] }],
    });
    const { metrics } = telemetryOf([
      telemetry("istio-system", metric("ALL_METRICS", true)),
      telemetry("ns", {
        metrics: [
          {
            overrides: [
              {
                match: { metric: "REQUEST_COUNT" },
                tagOverrides: {
                  request_host: { value: "request.host" },
                  response_flags: { operation: "REMOVE", value: "x" },
                },
              },
            ],
          },
        ],
      }),
    ]);
    assert.deepEqual(metrics, [
      { disabled: true, tags: [] },
      {
        metric: "istio_requests_total",
        tags: [{ name: "request_host", value: "request.host" }, { name: "response_flags" }],
      },
    ]);
  });
  test("tracing: field by field, through a provider that is there", () => {
    const service = { namespace: undefined, host: "v1.ns.svc.cluster.local", port: 80 };
    const providers: readonly ExtensionProvider[] = [
      { kind: "tracing", name: "otel", service, protocol: "otlpHttp", path: "/v1/traces" },
    ];
    const { tracing } = telemetryOf(
      [
        telemetry("istio-system", {
          tracing: [{ providers: [{ name: "otel" }], customTags: { a: { literal: { value: "1" } } } }],
        }),
        telemetry("ns", {
          tracing: [{ randomSamplingPercentage: 50, customTags: { b: { header: { name: "X-B" } } } }],
        }),
      ],
      { providers },
    );
    assert.deepEqual(tracing, {
      collector: {
        protocol: "otlpHttp",
        cluster: "outbound|80||v1.ns.svc.cluster.local",
        path: "/v1/traces",
      },
      samplingPercent: 50,
      customTags: [
        { name: "a", from: { kind: "literal", value: "1" } },
        { name: "b", from: { kind: "header", name: "x-b" } },
      ],
    });
    assert.equal(telemetryOf([]).tracing.collector, undefined);
  });
});

test("a Gateway of another controller has no settings; nor has a service that is not bound", () => {
  const compiler = compileTraffic([
    ({ waypoints }) => void waypoints.put("ns/edge", waypointFacts({ name: "edge", className: "istio" })),
  ]);
  assert.deepEqual(
    [...compiler.outputs.waypointSettings.entries()].map(([key]) => key),
    ["ns/waypoint"],
  );
  assert.deepEqual(
    [...compiler.outputs.served.entries()].map(([key]) => key),
    ["ns/waypoint|ns/svc.ns.svc.cluster.local"],
  );
});

test("a waypoint is told what it serves before it is ready", () => {
  const notReady: Fill = ({ waypoints }) =>
    void waypoints.put("ns/waypoint", waypointFacts({ addresses: [] }));
  assert.equal(servedService(compileTraffic([notReady])).hostname, "svc.ns.svc.cluster.local");
});
