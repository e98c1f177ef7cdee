import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpRoute } from "@meltemi/model/l7";
import type { HTTPRouteSpec } from "@meltemi/resources";
import { serviceFacts } from "../facts.fixture.ts";
import {
  compileTraffic,
  type Fill,
  grpcRoute,
  httpRoute,
  routesOf,
  servedPort,
  targetsOf,
} from "./traffic.fixture.ts";

type Rule = NonNullable<HTTPRouteSpec["rules"]>[number];

const TO_V1 = { backendRefs: [{ name: "v1", port: 80 }] };
const V1 = "outbound|80||v1.ns.svc.cluster.local";

function only(rule: Rule): HttpRoute {
  const [route] = routesOf(compileTraffic([httpRoute({ rules: [rule] })]));
  return route ?? assert.fail("no route");
}

function namesOf(...fills: readonly Fill[]): readonly string[] {
  return routesOf(compileTraffic(fills)).map(({ name }) => name);
}

test("precedence: exact, longest prefix, method, headers, query, expressions last", () => {
  const prefix = (value: string): object => ({ path: { type: "PathPrefix", value } });
  const header = { name: "a", value: "b" };
  const rule = (name: string, match: object): Rule => ({ name, matches: [match], ...TO_V1 });
  const rules = [
    rule("expression", { path: { type: "RegularExpression", value: "/a/very/long/expression" } }),
    rule("root", prefix("/")),
    rule("query", { ...prefix("/a"), queryParams: [header] }),
    rule("short", prefix("/a")),
    rule("header", { ...prefix("/a"), headers: [header] }),
    rule("method", { ...prefix("/a"), method: "GET" }),
    rule("long", prefix("/a/b")),
    rule("exact", { path: { type: "Exact", value: "/" } }),
  ];
  assert.deepEqual(
    namesOf(httpRoute({ rules })).map((name) => name.split("/").at(-1)),
    ["exact", "long", "method", "header", "query", "short", "root", "expression"],
  );
});

test("precedence: equal matches by age, then by name, then in their order", () => {
  const rules = [TO_V1, TO_V1];
  assert.deepEqual(
    namesOf(
      httpRoute({ rules }, { name: "young", createdMs: 2 }),
      httpRoute({ rules: [TO_V1] }, { name: "b", createdMs: 1 }),
      httpRoute({ rules: [TO_V1] }, { name: "a", createdMs: 1 }),
    ),
    ["ns/a/0", "ns/b/0", "ns/young/0", "ns/young/1"],
  );
});

describe("paths", () => {
  const cases: readonly (readonly [type: "Exact" | "PathPrefix" | "RegularExpression", string, unknown])[] = [
    ["Exact", "/a/", { kind: "exact", value: "/a/" }],
    ["PathPrefix", "/a/", { kind: "elements", value: "/a" }],
    ["PathPrefix", "/", undefined],
    ["RegularExpression", "/a.*", { kind: "regex", pattern: "/a.*" }],
  ];
  for (const [type, value, want] of cases)
    test(`${type} ${value}`, () =>
      assert.deepEqual(only({ matches: [{ path: { type, value } }], ...TO_V1 }).matches[0]?.path, want));
});

test("of several header matches for one name the first counts", () => {
  const headers = [
    { name: "A", value: "1" },
    { name: "a", value: "2" },
  ];
  assert.deepEqual(only({ matches: [{ headers }], ...TO_V1 }).matches[0]?.headers, [
    { name: "a", match: { kind: "exact", value: "1" }, invert: false },
  ]);
});

describe("consumers", () => {
  const parentRefs = [{ group: "", kind: "Service", name: "svc", namespace: "ns" }];
  const consumer = (rule: Rule): Fill =>
    httpRoute({ parentRefs, rules: [rule] }, { namespace: "other", name: "consumer" });

  test("their route is for their namespace alone, first, and all that it is offered", () => {
    const routes = routesOf(
      compileTraffic([
        httpRoute({ rules: [TO_V1] }),
        consumer({
          matches: [{ path: { type: "Exact", value: "/x" } }],
          backendRefs: [{ name: "far", port: 80 }],
        }),
      ]),
    );
    assert.deepEqual(
      routes.map(({ name, matches }) => [name, matches[0]?.source]),
      [
        ["other/consumer/0", { namespace: "other" }],
        ["other/no-match", { namespace: "other" }],
        ["ns/route/0", undefined],
      ],
    );
    assert.deepEqual(routes[1]?.action, { kind: "respond", status: 404, body: "" });
    assert.deepEqual(targetsOf(routes[0]), [["outbound|80||far.other.svc.cluster.local", 1]]);
  });
  test("without a route of the service's own, others are not touched", () => {
    const routes = routesOf(compileTraffic([consumer(TO_V1)]));
    assert.deepEqual(
      routes.map(({ name, matches }) => [name, matches.map(({ source }) => source)]),
      [
        ["other/consumer/0", [{ namespace: "other" }]],
        ["other/no-match", [{ namespace: "other" }]],
        ["default", []],
      ],
    );
    assert.deepEqual(targetsOf(routes[2]), [["inbound-vip|80|http|svc.ns.svc.cluster.local", 1]]);
  });
});

test("a parent's port restricts the route to it", () => {
  const ports = [80, 81].map((port) => ({
    name: `http-${port}`,
    port,
    targetPort: port,
    appProtocol: "http11" as const,
  }));
  const service: Fill = ({ services }) =>
    void services.put("ns/svc", serviceFacts({ waypoint: { useWaypoint: "waypoint" }, ports }));
  const parentRefs = [{ group: "", kind: "Service", name: "svc", port: 81 }];
  const compiler = compileTraffic([service, httpRoute({ parentRefs, rules: [TO_V1] })]);
  assert.equal(servedPort(compiler, 80).httpRoutes.length, 0);
  assert.equal(servedPort(compiler, 81).httpRoutes.length, 1);
});

test("a route of a Gateway, or of another service, is none of ours", () => {
  for (const parent of [{ name: "svc" }, { group: "", kind: "Service", name: "v1" }])
    assert.deepEqual(namesOf(httpRoute({ parentRefs: [parent], rules: [TO_V1] })), []);
});

describe("backends", () => {
  const cases: readonly (readonly [string, Rule["backendRefs"] & object, readonly unknown[]])[] = [
    ["one, of weight one", [{ name: "v1", port: 80 }], [[V1, 1]]],
    [
      "a share of nobody",
      [
        { name: "v1", port: 80, weight: 3 },
        { name: "gone", port: 80, weight: 1 },
      ],
      [
        [V1, 3],
        ["invalid: service gone.ns.svc.cluster.local was not found", 1],
      ],
    ],
    ["none", [], [["invalid: no backend has a weight above zero", 1]]],
    [
      "none above zero",
      [{ name: "v1", port: 80, weight: 0 }],
      [["invalid: no backend has a weight above zero", 1]],
    ],
    [
      "another namespace, without a grant",
      [{ name: "far", namespace: "other", port: 80 }],
      [["outbound|80||far.other.svc.cluster.local", 1]],
    ],
    [
      "a kind that is not known",
      [{ group: "x.example", kind: "Bucket", name: "b", port: 80 }],
      [
        [
          "invalid: backend b: expected a Service or a Hostname of networking.istio.io, got Bucket of group x.example",
          1,
        ],
      ],
    ],
    [
      "a host",
      [{ group: "networking.istio.io", kind: "Hostname", name: "v1.ns.svc.cluster.local", port: 80 }],
      [[V1, 1]],
    ],
  ];
  for (const [name, backendRefs, want] of cases)
    test(name, () => assert.deepEqual(targetsOf(only({ backendRefs })), want));
});

describe("filters", () => {
  test("redirect: the port is the request's, or the scheme's where one is given", () => {
    const redirect = (requestRedirect: object): unknown =>
      only({ filters: [{ type: "RequestRedirect", requestRedirect }] }).action;
    assert.deepEqual(redirect({ hostname: "b" }), {
      kind: "redirect",
      status: 302,
      authority: "b",
      port: "fromRequest",
    });
    assert.deepEqual(redirect({ scheme: "https", statusCode: 307 }), {
      kind: "redirect",
      status: 307,
      scheme: "https",
      port: "fromScheme",
    });
    const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "" };
    assert.deepEqual(redirect({ port: 8080, path }), {
      kind: "redirect",
      status: 302,
      port: 8080,
      path: { kind: "prefix", value: "/" },
    });
  });
  test("headers, rewrite, mirrors", () => {
    const { action, requestHeaders } = only({
      filters: [
        { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "X-A", value: "1" }] } },
        { type: "URLRewrite", urlRewrite: { hostname: "b", path: { type: "ReplaceFullPath" } } },
        {
          type: "RequestMirror",
          requestMirror: { backendRef: { name: "v2", port: 80 }, fraction: { numerator: 1, denominator: 8 } },
        },
      ],
      ...TO_V1,
    });
    assert.deepEqual(requestHeaders, { set: [["x-a", "1"]], add: [], remove: [] });
    assert.ok(action.kind === "forward");
    assert.deepEqual(action.rewrite, { path: { kind: "full", value: "/" }, authority: "b" });
    assert.deepEqual(action.mirrors, [{ cluster: "outbound|80||v2.ns.svc.cluster.local", percent: 12.5 }]);
  });
  test("CORS: origins with wildcards are names below, and no more", () => {
    const { cors } = only({
      filters: [{ type: "CORS", cors: { allowOrigins: ["https://*.a.example", "http://b"] } }],
      ...TO_V1,
    });
    assert.deepEqual(cors?.allowOrigins, [
      { kind: "regex", pattern: "https:\\/\\/[^/]+\\.a\\.example" },
      { kind: "exact", value: "http://b" },
    ]);
    assert.equal(cors?.unmatchedPreflights, "ignore");
    assert.equal(cors?.maxAgeSeconds, 5);
  });
  test("one that is not understood is not left out: the rule is answered with 500", () => {
    const broken = [['invalid: unsupported filter type "ExtensionRef"', 1]];
    assert.deepEqual(targetsOf(only({ filters: [{ type: "ExtensionRef" }], ...TO_V1 })), broken);
    const backendRefs = [{ name: "v1", port: 80, filters: [{ type: "ExtensionRef" }] }];
    assert.deepEqual(targetsOf(only({ backendRefs })), broken);
  });
});

describe("timeouts and retries", () => {
  const cases: readonly (readonly [string, Rule, object])[] = [
    ["of the request", { timeouts: { request: "2s" } }, { timeoutMs: 2000 }],
    [
      "of the backend, which is the shorter",
      { timeouts: { request: "2s", backendRequest: "1s" } },
      { timeoutMs: 1000 },
    ],
    ["none", { timeouts: { request: "0s" } }, {}],
  ];
  for (const [name, rule, want] of cases)
    test(name, () => {
      const { action } = only({ ...rule, ...TO_V1 });
      assert.deepEqual(
        Object.fromEntries(Object.entries(action).filter(([key]) => key === "timeoutMs")),
        want,
      );
    });
  test("with retries, the backend's is of one try", () => {
    const { action } = only({
      timeouts: { request: "9s", backendRequest: "1s" },
      retry: { codes: [503] },
      ...TO_V1,
    });
    assert.ok(action.kind === "forward");
    assert.equal(action.timeoutMs, 9000);
    assert.equal(action.retry?.perTryTimeoutMs, 1000);
    assert.equal(action.retry?.retries, 2);
    assert.deepEqual(action.retry?.statusCodes, [503]);
    assert.ok(action.retry?.on.includes("retriable-status-codes"));
  });
});

describe("gRPC methods are paths", () => {
  const cases: readonly (readonly [object, unknown])[] = [
    [
      { service: "a.B", method: "Get" },
      { kind: "exact", value: "/a.B/Get" },
    ],
    [{ service: "a.B" }, { kind: "elements", value: "/a.B" }],
    [{ method: "Get" }, { kind: "regex", pattern: "/[^/]+/Get" }],
    [
      { type: "RegularExpression", service: "a|b", method: "Get" },
      { kind: "regex", pattern: "/(?:a|b)/(?:Get)" },
    ],
  ];
  for (const [method, want] of cases)
    test(JSON.stringify(method), () => {
      const rules = [{ matches: [{ method }], ...TO_V1 }];
      assert.deepEqual(routesOf(compileTraffic([grpcRoute({ rules })]))[0]?.matches[0]?.path, want);
    });
});

describe("streams", () => {
  const tcp: Fill = ({ services }) =>
    void services.put(
      "ns/svc",
      serviceFacts({
        waypoint: { useWaypoint: "waypoint" },
        ports: [{ name: "tls", port: 443, targetPort: 443, appProtocol: "tls" }],
      }),
    );
  const route = (kind: "TCPRoute" | "TLSRoute", namespace: string, hostnames: readonly string[]): Fill => {
    const parentRefs = [{ group: "", kind: "Service", name: "svc", namespace: "ns" }];
    const rules = [{ backendRefs: [{ name: "v1", port: 80 }] }];
    const identity = { namespace, name: "r", createdMs: 0, generation: 1 };
    const spec = { parentRefs, hostnames, rules };
    return ({ routes }) => void routes.put(`${kind}/${namespace}/r`, { kind, ...identity, spec });
  };
  test("TLS before TCP, consumers first", () => {
    const { tcpRoutes } = servedPort(
      compileTraffic([
        tcp,
        route("TCPRoute", "ns", []),
        route("TLSRoute", "ns", ["a.example"]),
        route("TCPRoute", "other", []),
      ]),
      443,
    );
    assert.deepEqual(
      tcpRoutes.map(({ origin, matches }) => [origin?.kind, matches[0]?.sniHosts, matches[0]?.source]),
      [
        ["TCPRoute", [], { namespace: "other" }],
        ["TLSRoute", ["a.example"], undefined],
        ["TCPRoute", undefined, undefined],
      ],
    );
  });
});
