import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Cluster } from "@meltemi/model/l7";
import type { DestinationRuleSpec, TrafficPolicySpec } from "@meltemi/resources";
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

function own(fills: readonly Fill[]): Cluster {
  const compiler = compileTraffic(fills);
  const name = servedPort(compiler).cluster;
  return servedService(compiler).clusters.find((each) => each.name === name) ?? assert.fail("no cluster");
}

const withPolicy = (trafficPolicy: TrafficPolicySpec): Cluster =>
  own([destinationRule({ host: "svc", trafficPolicy })]);

test("defaults", () => {
  assert.deepEqual(own([]), {
    name: "inbound-vip|80|http|svc.ns.svc.cluster.local",
    service: { namespace: "ns", hostname: "svc.ns.svc.cluster.local" },
    port: 80,
    protocol: "http1",
    loadBalancer: { kind: "leastRequest" },
    connectionPool: {
      connectTimeoutMs: 10_000,
      tcpIdleTimeoutMs: 3_600_000,
      maxRequestsPerConnection: 0,
      httpIdleTimeoutMs: 3_600_000,
    },
  });
});

test("a cluster tells the rule that it is of: the policy's, for a subset the subset's", () => {
  const name = (rule: string) => ({ kind: "DestinationRule", namespace: "ns", name: rule });
  const compiler = compileTraffic([
    destinationRule({ host: "svc" }, { name: "oldest", createdMs: 1 }),
    destinationRule({ host: "svc", trafficPolicy: {} }, { name: "policy", createdMs: 2 }),
    destinationRule({ host: "svc", subsets: [{ name: "v1" }] }, { name: "subset", createdMs: 3 }),
    virtualService({ hosts: ["svc"], http: [{ route: [{ destination: { host: "svc", subset: "v1" } }] }] }),
  ]);
  const origins = servedService(compiler).clusters.map(({ subset, origin }) => [subset?.name, origin]);
  assert.deepEqual(Object.fromEntries(origins), { undefined: name("policy"), v1: name("subset") });
  assert.deepEqual(own([destinationRule({ host: "svc" })]).origin, name("dr"));
  assert.equal(own([]).origin, undefined);
});

describe("load balancer", () => {
  const cases: readonly (readonly [string, TrafficPolicySpec["loadBalancer"] & object, object])[] = [
    ["random", { simple: "RANDOM" }, { kind: "random" }],
    ["passthrough", { simple: "PASSTHROUGH" }, { kind: "passthrough" }],
    ["the older name", { simple: "LEAST_CONN" }, { kind: "leastRequest" }],
    [
      "warm-up",
      { simple: "ROUND_ROBIN", warmup: { duration: "30s" } },
      { kind: "roundRobin", warmup: { durationMs: 30_000, minimumPercent: 10, aggression: 1 } },
    ],
    [
      "warm-up, older form",
      { warmupDurationSecs: "1m" },
      { kind: "leastRequest", warmup: { durationMs: 60_000, minimumPercent: 10, aggression: 1 } },
    ],
    [
      "by header",
      { consistentHash: { httpHeaderName: "X-User" } },
      { kind: "ringHash", key: { kind: "header", name: "x-user" }, minimumRingSize: 1024 },
    ],
    [
      "by cookie, which is made for the session",
      { consistentHash: { httpCookie: { name: "u", ttl: "0s" }, ringHash: { minimumRingSize: 8 } } },
      {
        kind: "ringHash",
        key: { kind: "cookie", name: "u", path: "", ttlMs: 0, attributes: [] },
        minimumRingSize: 8,
      },
    ],
    [
      "by address, Maglev",
      { consistentHash: { useSourceIp: true, maglev: {} } },
      { kind: "maglev", key: { kind: "sourceIp" }, tableSize: 65_537 },
    ],
    ["by nothing", { consistentHash: { useSourceIp: false } }, { kind: "leastRequest" }],
  ];
  for (const [name, loadBalancer, want] of cases)
    test(name, () => assert.deepEqual(withPolicy({ loadBalancer }).loadBalancer, want));
});

test("failover needs to know who fails; distribution does not", () => {
  assert.equal(own([]).locality, undefined);
  const failover = { failover: [{ from: "a", to: "b" }] };
  assert.equal(withPolicy({ loadBalancer: { localityLbSetting: failover } }).locality, undefined);
  assert.deepEqual(withPolicy({ outlierDetection: {} }).locality, {
    kind: "failover",
    failover: [],
    priority: [],
  });
  const off = { loadBalancer: { localityLbSetting: { enabled: false } }, outlierDetection: {} };
  assert.equal(withPolicy(off).locality, undefined);
  const distribute = [{ from: "a/*", to: { "a/*": 80, b: 20 } }];
  assert.deepEqual(withPolicy({ loadBalancer: { localityLbSetting: { distribute } } }).locality, {
    kind: "distribute",
    rules: distribute,
  });
});

test("outlier detection: Istio's defaults, and zero is off", () => {
  assert.deepEqual(withPolicy({ outlierDetection: { consecutive5xxErrors: 0 } }).outlierDetection, {
    consecutive5xx: 0,
    consecutiveGatewayErrors: 0,
    splitLocalOriginErrors: false,
    consecutiveLocalOriginFailures: 5,
    intervalMs: 10_000,
    baseEjectionTimeMs: 30_000,
    maxEjectionPercent: 10,
    minHealthPercent: 0,
    errorCodes: [],
  });
});

test("connection pool, proxy protocol, retry budget", () => {
  const cluster = withPolicy({
    connectionPool: {
      tcp: { maxConnections: 5, connectTimeout: "1s", idleTimeout: "0s", tcpKeepalive: { time: "10s" } },
      http: { http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRetries: 3, useClientProtocol: true },
    },
    proxyProtocol: { version: "V2" },
    retryBudget: {},
  });
  assert.deepEqual(cluster.connectionPool, {
    maxConnections: 5,
    connectTimeoutMs: 1000,
    tcpIdleTimeoutMs: 0,
    tcpKeepalive: { timeMs: 10_000 },
    maxPendingRequests: 1,
    maxRequests: 2,
    maxRequestsPerConnection: 0,
    maxRetries: 3,
    httpIdleTimeoutMs: 3_600_000,
  });
  assert.equal(cluster.protocol, "sameAsClient");
  assert.equal(cluster.proxyProtocol, "v2");
  assert.deepEqual(cluster.retryBudget, { percent: 20, minConcurrency: 3 });
});

test("settings of a port take the place of the rule's, given or not", () => {
  const cluster = withPolicy({
    loadBalancer: { simple: "RANDOM" },
    outlierDetection: {},
    portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: "ROUND_ROBIN" } }],
  });
  assert.deepEqual(cluster.loadBalancer, { kind: "roundRobin" });
  assert.equal(cluster.outlierDetection, undefined);
});

describe("which rule", () => {
  const random: DestinationRuleSpec["trafficPolicy"] = { loadBalancer: { simple: "RANDOM" } };
  const robin: DestinationRuleSpec["trafficPolicy"] = { loadBalancer: { simple: "ROUND_ROBIN" } };
  const full = "svc.ns.svc.cluster.local";
  const root = { namespace: "istio-system" };
  const cases: readonly { readonly name: string; readonly fills: readonly Fill[]; readonly want: string }[] =
    [
      { name: "none", fills: [], want: "leastRequest" },
      {
        name: "that of the namespace before the root's",
        fills: [
          destinationRule({ host: full, trafficPolicy: random }, root),
          destinationRule({ host: "svc", trafficPolicy: robin }),
        ],
        want: "roundRobin",
      },
      {
        name: "the root's, by wildcard",
        fills: [destinationRule({ host: "*.cluster.local", trafficPolicy: random }, root)],
        want: "random",
      },
      {
        name: "the narrower host",
        fills: [
          destinationRule({ host: "*", trafficPolicy: random }, { name: "a" }),
          destinationRule({ host: "svc", trafficPolicy: robin }, { name: "b" }),
        ],
        want: "roundRobin",
      },
      {
        name: "the older of two",
        fills: [
          destinationRule({ host: "svc", trafficPolicy: random }, { name: "a", createdMs: 2 }),
          destinationRule({ host: "svc", trafficPolicy: robin }, { name: "b", createdMs: 1 }),
        ],
        want: "roundRobin",
      },
      {
        name: "not one of a stranger's namespace",
        fills: [destinationRule({ host: full, trafficPolicy: random }, { namespace: "other" })],
        want: "leastRequest",
      },
      {
        name: "not one that is for others",
        fills: [destinationRule({ host: "svc", trafficPolicy: random, exportTo: ["other"] })],
        want: "leastRequest",
      },
      {
        name: "not one that chooses among sidecars",
        fills: [destinationRule({ host: "svc", trafficPolicy: random, workloadSelector: {} })],
        want: "leastRequest",
      },
    ];
  for (const { name, fills, want } of cases)
    test(name, () => assert.equal(own(fills).loadBalancer.kind, want));
});

describe("TLS", () => {
  const tls = (fields: NonNullable<TrafficPolicySpec["tls"]>, ...fills: readonly Fill[]) =>
    compileTraffic([destinationRule({ host: "svc", trafficPolicy: { tls: fields } }), ...fills]);
  const secret =
    (name: string, parts: object): Fill =>
    ({ credentials }) =>
      void credentials.put(`ns/${name}`, { namespace: "ns", name, ...parts });
  const used = (compiler: ReturnType<typeof tls>) => servedService(compiler).clusters[0]?.tls;

  test("the mesh's own adds nothing", () => {
    assert.equal(used(tls({ mode: "ISTIO_MUTUAL" })), undefined);
    assert.equal(used(tls({ mode: "DISABLE" })), undefined);
  });
  test("simple, with the machine's roots or a Secret's", () => {
    const plain = { mode: "simple", subjectAltNames: ["a"], sni: "b", skipVerify: false };
    const spec = { mode: "SIMPLE", sni: "b", subjectAltNames: ["a"] } as const;
    assert.deepEqual(used(tls(spec)), plain);
    assert.deepEqual(used(tls({ ...spec, credentialName: "s" }, secret("s", { caCertificates: "CA" }))), {
      ...plain,
      caCertificates: "CA",
    });
    const apart = [secret("s", {}), secret("s-cacert", { caCertificates: "CA2" })];
    assert.equal(used(tls({ ...spec, credentialName: "s" }, ...apart))?.caCertificates, "CA2");
  });
  test("mutual", () => {
    const parts = { certificateChain: "C", privateKey: "K" };
    assert.deepEqual(used(tls({ mode: "MUTUAL", credentialName: "s" }, secret("s", parts))), {
      mode: "mutual",
      ...parts,
      subjectAltNames: [],
      skipVerify: false,
    });
  });
  const refused: readonly (readonly [
    string,
    NonNullable<TrafficPolicySpec["tls"]>,
    readonly Fill[],
    RegExp,
  ])[] = [
    [
      "a Secret that is not there",
      { mode: "SIMPLE", credentialName: "gone" },
      [],
      /Secret gone was not found/,
    ],
    ["mutual without a certificate", { mode: "MUTUAL" }, [], /needs a Secret with a certificate/],
    [
      "half a pair",
      { mode: "MUTUAL", credentialName: "s" },
      [secret("s", { privateKey: "K" })],
      /needs a Secret/,
    ],
    ["files", { mode: "SIMPLE", caCertificates: "/etc/certs/ca.pem" }, [], /has no files of its own/],
  ];
  for (const [name, fields, fills, says] of refused)
    test(`${name}: nothing is sent in place of it`, () => {
      const [[target = ""] = []] = targetsOf(routesOf(tls(fields, ...fills))[0]) as readonly [
        string,
        number,
      ][];
      assert.match(target, says);
      assert.equal(servedPort(tls(fields, ...fills)).tcpRoutes.at(-1)?.targets[0]?.target.kind, "invalid");
    });
});

test("protocols of ports", () => {
  const protocols = ["http11", "http2", "grpc", "tcp", "tls", "unknown"] as const;
  const ports = protocols.map((appProtocol, at) => ({
    name: appProtocol,
    port: 80 + at,
    targetPort: 80 + at,
    appProtocol,
  }));
  const service: Fill = ({ services }) =>
    void services.put("ns/svc", serviceFacts({ waypoint: { useWaypoint: "waypoint" }, ports }));
  const served = servedService(compileTraffic([service]));
  assert.deepEqual(
    served.ports.map(({ protocol }, at) => [protocol, served.clusters[at]?.protocol]),
    [
      ["http", "http1"],
      ["http", "http2"],
      ["http", "http2"],
      ["tcp", "tcp"],
      ["tls", "tcp"],
      ["sniff", "sameAsClient"],
    ],
  );
});
