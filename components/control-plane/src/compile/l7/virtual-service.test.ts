import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpRoute } from "@meltemi/model/l7";
import type { HttpMatchSpec, HttpRouteSpec } from "@meltemi/resources";
import { serviceFacts } from "../facts.fixture.ts";
import {
  compileTraffic,
  destinationRule,
  type Fill,
  routesOf,
  servedPort,
  servedService,
  targetsOf,
  virtualService,
} from "./traffic.fixture.ts";

const V1 = { destination: { host: "v1" } };
const OUT_V1 = "outbound|80||v1.ns.svc.cluster.local";
const OWN = "inbound-vip|80|http|svc.ns.svc.cluster.local";

function only(rule: HttpRouteSpec): HttpRoute {
  const routes = routesOf(compileTraffic([virtualService({ hosts: ["svc"], http: [rule] })]));
  assert.equal(routes.length, 1);
  return routes[0] ?? assert.fail();
}

test("nothing written: everything goes to the service itself", () => {
  const port = servedPort(compileTraffic([]));
  assert.deepEqual([port.protocol, port.httpRoutes, port.tcpRoutes, port.cluster], ["http", [], [], OWN]);
});

describe("who speaks for the host", () => {
  const rule = { route: [V1] };
  const cases: readonly { readonly name: string; readonly fills: readonly Fill[]; readonly want: number }[] =
    [
      { name: "its short name", fills: [virtualService({ hosts: ["svc"], http: [rule] })], want: 1 },
      {
        name: "its full name",
        fills: [virtualService({ hosts: ["svc.ns.svc.cluster.local"], http: [rule] })],
        want: 1,
      },
      {
        name: "a wildcard",
        fills: [virtualService({ hosts: ["*.ns.svc.cluster.local"], http: [rule] })],
        want: 1,
      },
      { name: "everything", fills: [virtualService({ hosts: ["*"], http: [rule] })], want: 1 },
      { name: "two of one, once", fills: [virtualService({ hosts: ["svc", "*"], http: [rule] })], want: 1 },
      { name: "another host", fills: [virtualService({ hosts: ["v1"], http: [rule] })], want: 0 },
      {
        name: "an ingress gateway only",
        fills: [virtualService({ hosts: ["svc"], gateways: ["ingress"], http: [rule] })],
        want: 0,
      },
      {
        name: "a gateway and the mesh",
        fills: [virtualService({ hosts: ["svc"], gateways: ["ingress", "mesh"], http: [rule] })],
        want: 1,
      },
      {
        name: "a namespace that is neither the service's nor the waypoint's",
        fills: [
          virtualService({ hosts: ["svc.ns.svc.cluster.local"], http: [rule] }, { namespace: "other" }),
        ],
        want: 0,
      },
      {
        name: "its own namespace, for itself",
        fills: [virtualService({ hosts: ["svc"], exportTo: ["."], http: [rule] })],
        want: 1,
      },
      {
        name: "its own namespace, for others",
        fills: [virtualService({ hosts: ["svc"], exportTo: ["other"], http: [rule] })],
        want: 0,
      },
      {
        name: "a match of an ingress gateway only",
        fills: [virtualService({ hosts: ["svc"], http: [{ match: [{ gateways: ["ingress"] }], ...rule }] })],
        want: 0,
      },
      {
        name: "another port",
        fills: [virtualService({ hosts: ["svc"], http: [{ match: [{ port: 8080 }], ...rule }] })],
        want: 0,
      },
    ];
  for (const { name, fills, want } of cases)
    test(name, () => assert.equal(routesOf(compileTraffic(fills)).length, want));
});

test("several for one host: the oldest first", () => {
  const named = (name: string, createdMs: number): Fill =>
    virtualService({ hosts: ["svc"], http: [{ name, route: [V1] }] }, { name, createdMs });
  const routes = routesOf(compileTraffic([named("young", 2), named("old", 1), named("b", 1)]));
  assert.deepEqual(
    routes.map(({ name }) => name),
    ["b", "old", "young"],
  );
});

describe("matches", () => {
  const cases: readonly (readonly [name: string, match: HttpMatchSpec, want: object])[] = [
    ["uri", { uri: { prefix: "/a" } }, { path: { kind: "prefix", value: "/a" } }],
    [
      "uri without case",
      { uri: { exact: "/A" }, ignoreUriCase: true },
      { path: { kind: "exact", value: "/A", ignoreCase: true } },
    ],
    [
      "method, scheme, authority",
      { method: { exact: "GET" }, scheme: { exact: "http" }, authority: { prefix: "a" } },
      {
        method: { kind: "exact", value: "GET" },
        scheme: { kind: "exact", value: "http" },
        authority: { kind: "prefix", value: "a" },
      },
    ],
    [
      "headers in any case, presence",
      { headers: { "X-A": { regex: ".+" }, "x-b": {} } },
      {
        headers: [
          { name: "x-a", match: { kind: "regex", pattern: ".+" }, invert: false },
          { name: "x-b", match: { kind: "present" }, invert: false },
        ],
      },
    ],
    [
      "headers that must not match",
      { withoutHeaders: { "x-a": { exact: "b" } } },
      { headers: [{ name: "x-a", match: { kind: "exact", value: "b" }, invert: true }] },
    ],
    [
      "an asterisk is presence",
      { withoutHeaders: { "x-a": { regex: "*" } } },
      { headers: [{ name: "x-a", match: { kind: "present" }, invert: true }] },
    ],
    ["headers that have fields of their own", { headers: { uri: { exact: "/" } } }, {}],
    [
      "pseudo headers",
      { headers: { ":method": { exact: "GET" } } },
      { method: { kind: "exact", value: "GET" } },
    ],
    [
      "query",
      { queryParams: { Q: { exact: "1" } } },
      { queryParams: [{ name: "Q", match: { kind: "exact", value: "1" }, invert: false }] },
    ],
    [
      "source, for real",
      { sourceLabels: { app: "a" }, sourceNamespace: "x" },
      { source: { namespace: "x", labels: { app: "a" } } },
    ],
  ];
  for (const [name, match, want] of cases)
    test(name, () =>
      assert.deepEqual(only({ match: [match], route: [V1] }).matches, [
        { headers: [], queryParams: [], ...want },
      ]),
    );
});

describe("actions", () => {
  const cases: readonly (readonly [name: string, rule: HttpRouteSpec, want: object])[] = [
    [
      "redirect",
      { redirect: { authority: "b", uri: "/x", port: 8080 } },
      {
        kind: "redirect",
        status: 301,
        authority: "b",
        path: { kind: "full", value: "/x" },
        port: 8080,
      },
    ],
    [
      "redirect of a prefix, port by scheme",
      {
        redirect: {
          scheme: "https",
          prefixRewrite: "/p",
          derivePort: "FROM_PROTOCOL_DEFAULT",
          redirectCode: 307,
        },
      },
      {
        kind: "redirect",
        status: 307,
        scheme: "https",
        port: "fromScheme",
        path: { kind: "prefix", value: "/p" },
      },
    ],
    [
      "an answer",
      { directResponse: { status: 418, body: { string: "tea" } } },
      { kind: "respond", status: 418, body: "tea" },
    ],
    [
      "an answer in base64",
      { directResponse: { status: 200, body: { bytes: "aGk=" } } },
      { kind: "respond", status: 200, body: "hi" },
    ],
    [
      "timeout, retries, rewrite",
      {
        route: [V1],
        timeout: "1.5s",
        retries: { attempts: 3, perTryTimeout: "2s", retryOn: "503, connect-failure, nonsense" },
        rewrite: { uri: "/new", authority: "b" },
      },
      {
        kind: "forward",
        targets: [{ target: { kind: "cluster", cluster: OUT_V1 }, weight: 1 }],
        timeoutMs: 1500,
        rewrite: { path: { kind: "prefix", value: "/new" }, authority: "b" },
        retry: {
          retries: 3,
          on: ["connect-failure", "retriable-status-codes"],
          statusCodes: [503],
          perTryTimeoutMs: 2000,
          backoffBaseMs: 25,
          backoffMaxMs: 250,
          avoidPreviousHosts: true,
          otherLocalities: false,
        },
        mirrors: [],
      },
    ],
    [
      "no timeout, and mirrors; those of nobody are left out",
      {
        route: [V1],
        timeout: "0s",
        mirrors: [
          { destination: { host: "v2" }, percentage: { value: 50 } },
          { destination: { host: "gone" } },
        ],
      },
      {
        kind: "forward",
        targets: [{ target: { kind: "cluster", cluster: OUT_V1 }, weight: 1 }],
        mirrors: [{ cluster: "outbound|80||v2.ns.svc.cluster.local", percent: 50 }],
      },
    ],
  ];
  for (const [name, rule, want] of cases) test(name, () => assert.deepEqual(only(rule).action, want));
});

test("faults need a percentage; statuses of gRPC are known by name", () => {
  const fault = (spec: NonNullable<HttpRouteSpec["fault"]>): HttpRoute["fault"] =>
    only({ route: [V1], fault: spec }).fault;
  assert.equal(fault({ abort: { httpStatus: 500 } }), undefined);
  assert.deepEqual(fault({ delay: { fixedDelay: "5s", percentage: { value: 10 } } }), {
    delay: { durationMs: 5000, percent: 10 },
  });
  assert.deepEqual(fault({ abort: { grpcStatus: "UNAVAILABLE", percentage: { value: 100 } } }), {
    abort: { status: { kind: "grpc", code: 14 }, percent: 100 },
  });
  assert.equal(fault({ abort: { grpcStatus: "TIRED", percentage: { value: 100 } } }), undefined);
});

test("headers: lower case, host is :authority, per destination too", () => {
  const route = only({
    route: [{ ...V1, headers: { request: { set: { Host: "b" } } } }],
    headers: { response: { remove: ["Server"] }, request: { add: { "X-A": "1" } } },
  });
  assert.deepEqual(route.requestHeaders, { set: [], add: [["x-a", "1"]], remove: [] });
  assert.deepEqual(route.responseHeaders, { set: [], add: [], remove: ["server"] });
  assert.ok(route.action.kind === "forward");
  assert.deepEqual(route.action.targets[0]?.requestHeaders?.set, [[":authority", "b"]]);
});

describe("destinations", () => {
  const cases: readonly (readonly [string, HttpRouteSpec["route"] & object, readonly unknown[]])[] = [
    ["one takes all", [{ ...V1, weight: 0 }], [[OUT_V1, 1]]],
    [
      "several by weight",
      [
        { ...V1, weight: 90 },
        { destination: { host: "svc" }, weight: 10 },
      ],
      [
        [OUT_V1, 90],
        [OWN, 10],
      ],
    ],
    [
      "nobody",
      [{ destination: { host: "gone" } }],
      [["invalid: service gone.ns.svc.cluster.local was not found", 1]],
    ],
    [
      "a port that is not there",
      [{ destination: { host: "v1", port: { number: 81 } } }],
      [["invalid: service v1.ns.svc.cluster.local has no port 81", 1]],
    ],
    [
      "a subset that nobody defines",
      [{ destination: { host: "v1", subset: "x" } }],
      [["invalid: no DestinationRule of v1.ns.svc.cluster.local has a subset x", 1]],
    ],
    [
      "another namespace by its full name",
      [{ destination: { host: "far.other.svc.cluster.local" } }],
      [["outbound|80||far.other.svc.cluster.local", 1]],
    ],
  ];
  for (const [name, route, want] of cases)
    test(name, () => assert.deepEqual(targetsOf(only({ route })), want));
});

test("a subset of the service itself has its labels", () => {
  const compiler = compileTraffic([
    destinationRule({ host: "svc", subsets: [{ name: "v1", labels: { version: "v1" } }] }),
    virtualService({ hosts: ["svc"], http: [{ route: [{ destination: { host: "svc", subset: "v1" } }] }] }),
  ]);
  const name = "inbound-vip|80|http/v1|svc.ns.svc.cluster.local";
  assert.deepEqual(targetsOf(routesOf(compiler)[0]), [[name, 1]]);
  const cluster = servedService(compiler).clusters.find((each) => each.name === name);
  assert.deepEqual(cluster?.subset, { name: "v1", labels: { version: "v1" } });
});

describe("delegates", () => {
  const root = (match?: HttpRouteSpec["match"]): Fill =>
    virtualService({
      hosts: ["svc"],
      http: [{ name: "root", timeout: "3s", delegate: { name: "leaf" }, ...(match && { match }) }],
    });
  const leaf = (rule: HttpRouteSpec, hosts?: readonly string[]): Fill =>
    virtualService({ http: [rule], ...(hosts && { hosts }) }, { name: "leaf" });
  const paths = (fills: readonly Fill[]): readonly unknown[] =>
    routesOf(compileTraffic(fills)).flatMap(({ matches }) => matches.map(({ path }) => path));

  test("what the delegate leaves out, the root fills in", () => {
    const [route] = routesOf(compileTraffic([root(), leaf({ name: "leaf", route: [V1] })]));
    assert.equal(route?.name, "root-leaf");
    assert.equal(route?.action.kind === "forward" && route.action.timeoutMs, 3000);
  });
  test("matches are narrowed, those that contradict are left out", () => {
    const fills = [
      root([{ uri: { prefix: "/a" } }]),
      leaf({ match: [{ uri: { prefix: "/a/b" } }, { uri: { exact: "/x" } }], route: [V1] }),
    ];
    assert.deepEqual(paths(fills), [{ kind: "prefix", value: "/a/b" }]);
  });
  test("no match is left: no route, rather than one for everything", () => {
    const fills = [
      root([{ uri: { prefix: "/a" } }]),
      leaf({ match: [{ uri: { exact: "/x" } }], route: [V1] }),
    ];
    assert.deepEqual(routesOf(compileTraffic(fills)), []);
  });
  test("one with hosts, one that delegates again, and one that is not there are none", () => {
    for (const fills of [
      [root(), leaf({ route: [V1] }, ["svc2"])],
      [root(), leaf({ delegate: { name: "deeper" } })],
      [root()],
    ])
      assert.deepEqual(routesOf(compileTraffic(fills)), []);
  });
});

test("streams: TLS before TCP, by name and by port", () => {
  const service: Fill = ({ services }) =>
    void services.put(
      "ns/svc",
      serviceFacts({
        waypoint: { useWaypoint: "waypoint" },
        ports: [{ name: "tcp", port: 9000, targetPort: 9000, appProtocol: "tcp" }],
      }),
    );
  const route = [{ destination: { host: "svc" } }];
  const port = servedPort(
    compileTraffic([
      service,
      virtualService({
        hosts: ["svc"],
        tcp: [{ match: [{ port: 1 }], route }, { route }],
        tls: [{ match: [{ sniHosts: ["A.example"] }], route }],
      }),
    ]),
    9000,
  );
  assert.equal(port.protocol, "tcp");
  assert.deepEqual(port.httpRoutes, []);
  assert.deepEqual(
    port.tcpRoutes.map(({ matches }) => matches.map(({ sniHosts }) => sniHosts)),
    [[["a.example"]], []],
  );
});
