import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type HttpRoute,
  newCluster,
  type ServedService,
  type TelemetrySettings,
  type WaypointSettings,
} from "@meltemi/model/l7";
import { MeshError } from "@meltemi/runtime";
import { waypoint } from "@meltemi/wire";
import fc from "fast-check";
import {
  decodeServedService,
  decodeWaypointSettings,
  decodeWorkloadLabels,
  encodeServedService,
  encodeWaypointSettings,
  encodeWorkloadLabels,
} from "./resource.ts";

const CLUSTER = newCluster({
  name: "inbound-vip|80|http|reviews.default.svc.cluster.local",
  service: { namespace: "default", hostname: "reviews.default.svc.cluster.local" },
  port: 80,
  protocol: "sameAsClient",
  subset: { name: "v1", labels: { version: "v1" } },
  loadBalancer: {
    kind: "ringHash",
    key: { kind: "cookie", name: "user", path: "/", ttlMs: 0, attributes: [["SameSite", "Strict"]] },
    minimumRingSize: 1024,
  },
  connectionPool: { tcpKeepalive: { probes: 3 } },
  tls: { mode: "simple", subjectAltNames: [], skipVerify: false },
});

const ROUTE: HttpRoute = {
  name: "default/reviews#0",
  origin: { kind: "HTTPRoute", namespace: "default", name: "reviews" },
  matches: [
    {
      path: { kind: "elements", value: "/api" },
      headers: [{ name: "end-user", match: { kind: "regex", pattern: "j.*" }, invert: false }],
      queryParams: [],
    },
  ],
  action: {
    kind: "forward",
    targets: [
      { target: { kind: "cluster", cluster: CLUSTER.name }, weight: 90 },
      { target: { kind: "invalid", detail: "no such service" }, weight: 10 },
    ],
    mirrors: [],
  },
  requestHeaders: { set: [["x-a", "b"]], add: [], remove: [] },
};

const TELEMETRY: TelemetrySettings = {
  accessLog: { kind: "on", format: { kind: "json", labels: { code: "%RESPONSE_CODE%" } } },
  metrics: [{ disabled: false, tags: [{ name: "request_host", value: "request.host" }] }],
  tracing: { samplingPercent: 0.5, customTags: [] },
};

const SERVICE: ServedService = {
  ...CLUSTER.service,
  ports: [{ port: 80, protocol: "http", httpRoutes: [ROUTE], tcpRoutes: [], cluster: CLUSTER.name }],
  clusters: [CLUSTER],
  jwtRules: [],
  policies: [
    { namespace: "default", name: "p", action: { provider: "opa" }, dryRun: false, rules: [] },
    { namespace: "default", name: "q", action: "deny", dryRun: false, rules: [] },
  ],
  rateLimits: [],
  telemetry: TELEMETRY,
};

const SETTINGS: WaypointSettings = {
  trafficType: "service",
  trustDomain: "cluster.local",
  trustDomainAliases: [],
  pathNormalization: "base",
  defaultRetry: {
    retries: 2,
    on: ["reset-before-request"],
    statusCodes: [],
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHosts: true,
    otherLocalities: false,
  },
  forwardClientIdentity: true,
  jwtRules: [],
  policies: [],
  rateLimits: [],
  telemetry: TELEMETRY,
  authorizers: [],
  clusters: [],
};

function wire(value: unknown): Uint8Array {
  const message = create(waypoint.ServedServiceSchema, { json: JSON.stringify(value) });
  return toBinary(waypoint.ServedServiceSchema, message);
}

function withRoute(route: unknown): unknown {
  return { ...SERVICE, ports: [{ ...SERVICE.ports[0], httpRoutes: [route] }] };
}

test("what is encoded is decoded as it was", () => {
  assert.deepEqual(decodeServedService(encodeServedService(SERVICE)), SERVICE);
  assert.deepEqual(decodeWaypointSettings(encodeWaypointSettings(SETTINGS)), SETTINGS);
  const labels = {
    uid: "Kubernetes//Pod/a/b",
    labels: new Map([
      ["b", "2"],
      ["a", "1"],
    ]),
  };
  assert.deepEqual(decodeWorkloadLabels(encodeWorkloadLabels(labels)), labels);
});

test("equal values have equal bytes, whatever the order of their fields", () => {
  const turned = Object.fromEntries(Object.entries(SERVICE).reverse()) as unknown as ServedService;
  assert.deepEqual(encodeServedService(turned), encodeServedService(SERVICE));
  const one = {
    uid: "u",
    labels: new Map([
      ["a", "1"],
      ["b", "2"],
    ] as const),
  };
  const other = {
    uid: "u",
    labels: new Map([
      ["b", "2"],
      ["a", "1"],
    ] as const),
  };
  assert.deepEqual(encodeWorkloadLabels(one), encodeWorkloadLabels(other));
});

describe("a served service is refused", () => {
  const cases: readonly (readonly [name: string, value: unknown, says: RegExp])[] = [
    ["that is a list", [], /ServedService: expected an object, got a list of 0/],
    [
      "without clusters",
      { ...SERVICE, clusters: undefined },
      /ServedService clusters: expected a value, got/,
    ],
    [
      "with a field that nobody knows",
      { ...SERVICE, onlyFrom: "10.0.0.0/8" },
      /"onlyFrom": expected no such field/,
    ],
    ["whose port is text", { ...SERVICE, ports: [{ ...SERVICE.ports[0], port: "80" }] }, /ports\[0\]\.port/],
    [
      "with an action of a later kind",
      withRoute({ ...ROUTE, action: { kind: "teleport" } }),
      /httpRoutes\[0\]\.action\.kind: expected one of forward, redirect, respond, got "teleport"/,
    ],
    [
      "with a line end in a header",
      withRoute({ ...ROUTE, requestHeaders: { set: [["x-a", "b\r\nx-evil: 1"]], add: [], remove: [] } }),
      /requestHeaders\.set\[0\]/,
    ],
    [
      "with a header name that is none",
      withRoute({ ...ROUTE, requestHeaders: { set: [], add: [], remove: ["a b"] } }),
      /requestHeaders\.remove\[0\]: expected a header name/,
    ],
    [
      "that names a cluster it does not have",
      withRoute({ ...ROUTE, action: { ...ROUTE.action, mirrors: [{ cluster: "elsewhere", percent: 1 }] } }),
      /port 80 route default\/reviews#0: expected a cluster of the resource, got elsewhere/,
    ],
    [
      "whose policy has an action of a later kind",
      { ...SERVICE, policies: [{ ...SERVICE.policies[0], action: "maybe" }] },
      /policies\[0\]\.action: expected one of allow, deny, audit/,
    ],
  ];
  for (const [name, value, says] of cases)
    test(name, () =>
      assert.throws(
        () => decodeServedService(wire(value)),
        (error) => error instanceof MeshError && error.code === "INPUT_INVALID" && says.test(error.message),
      ),
    );
});

test("settings must have the clusters of their authorizers", () => {
  const authorizers = [
    {
      name: "opa",
      protocol: "grpc",
      cluster: "gone",
      timeoutMs: 1000,
      pathPrefix: "",
      failOpen: false,
      statusOnError: 403,
      clearRouteCache: false,
      includeRequestHeaders: ["x-*"],
      includeAdditionalHeaders: [],
      headersToUpstreamOnAllow: [],
      headersToDownstreamOnDeny: [],
      headersToDownstreamOnAllow: [],
    },
  ] as const;
  assert.throws(
    () => decodeWaypointSettings(encodeWaypointSettings({ ...SETTINGS, authorizers })),
    /authorizer opa: expected a cluster of the resource, got gone/,
  );
});

test("a refusal does not tell a private key", () => {
  const key = `-----BEGIN PRIVATE KEY-----${"x".repeat(100)}`;
  const value = { ...SERVICE, clusters: [{ ...CLUSTER, tls: { ...CLUSTER.tls, skipVerify: key } }] };
  assert.throws(
    () => decodeServedService(wire(value)),
    (error) => error instanceof MeshError && !error.message.includes("PRIVATE"),
  );
});

test("no bytes do more than be refused", () => {
  const decoders = [decodeServedService, decodeWaypointSettings, decodeWorkloadLabels];
  const refusedOrRead = (bytes: Uint8Array): void => {
    for (const decode of decoders) {
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof MeshError && error.code === "INPUT_INVALID", String(error));
      }
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refusedOrRead), { numRuns: 300 });
  fc.assert(
    fc.property(fc.json(), (json) =>
      refusedOrRead(toBinary(waypoint.ServedServiceSchema, create(waypoint.ServedServiceSchema, { json }))),
    ),
    { numRuns: 300 },
  );
});

test("a resource with any one field replaced is refused or read, never half of each", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(SERVICE)), fc.jsonValue(), (field, value) => {
      try {
        assert.deepEqual(decodeServedService(wire({ ...SERVICE, [field]: value })), {
          ...SERVICE,
          [field]: JSON.parse(JSON.stringify(value)),
        });
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof MeshError && error.code === "INPUT_INVALID", String(error));
      }
    }),
    { numRuns: 300 },
  );
});
