/** What is spoken, by clients and with programs (reference: l7-and-cli §8.3, §8.4). */

import assert from "node:assert/strict";
import { isOnePod, isSeveralPods, TIMES } from "./l7-balancing.scenarios.ts";
import { type Answer, reportOf } from "./l7-calls.fixture.ts";
import { destinationRule, SUBSETS, virtualService } from "./l7-objects.fixture.ts";
import type { Check, Scenario } from "./l7-scenario.fixture.ts";

const sniffed = (version: "1.0" | "1.1" | "2", port: number): Check => ({
  http: "/",
  version,
  port,
  want: { l7: true },
});

const bytes = (port: number): Check => ({
  call: (host) => ({ kind: "bytes", host, port, send: "hello\n", until: "hello\n" }),
  want: { body: /^echo-v\d-\S+ v\d \S+\nhello\n$/ },
});

const H2_UPSTREAM = { trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: "UPGRADE" } } } };

export const PROTOCOLS: readonly Scenario[] = [
  {
    name: "sniffing",
    checks: [
      sniffed("1.0", 80),
      sniffed("1.1", 80),
      sniffed("2", 80),
      sniffed("1.0", 81),
      sniffed("1.1", 81),
      sniffed("2", 81),
      sniffed("2", 85),
      { call: (host) => ({ kind: "grpc", target: `${host}:7070` }), want: { l7: true } },
      { call: (host) => ({ kind: "grpc", target: `${host}:7071` }), want: { l7: true } },
      bytes(9090),
      bytes(9092),
      { http: "/", port: 86, want: { l7: false } },
      { http: "/", port: 86, version: "1.0", want: { l7: false } },
    ],
  },
  {
    name: "HTTP/1.0 is answered as such",
    checks: [
      { http: "/", version: "1.0", method: "POST", body: "wind", want: { body: /"bytes":4/ } },
      { http: "/?echo=size=100000", version: "1.0", want: { body: /^x{100000}$/ } },
    ],
  },
  {
    name: "gRPC unary, streams and failures",
    checks: [
      { call: (host) => ({ kind: "grpc", target: `${host}:7070`, messages: ["wind"] }), want: { l7: true } },
      {
        call: (host) => ({
          kind: "grpc",
          target: `${host}:7070`,
          method: "Chat",
          messages: ["one", "two", "three"],
        }),
        want: { body: /^v\d one\nv\d two\nv\d three$/ },
      },
      {
        call: (host) => ({ kind: "grpc", target: `${host}:7070`, metadata: { "x-echo": "status=7" } }),
        want: { status: 7, body: "as was asked" },
      },
      {
        call: (host) => ({ kind: "grpc", target: `${host}:7070`, service: "no.Such" }),
        want: { status: 12 },
      },
    ],
  },
  {
    name: "WebSocket",
    checks: [
      {
        call: (host) => ({ kind: "websocket", url: `ws://${host}/socket`, messages: ["one", "two"] }),
        want: { status: 1000, body: /"x-request-id":"[^"]+"[^\n]*\none\ntwo$/ },
      },
    ],
  },
  {
    name: "trailers, large bodies and broken answers",
    checks: [
      { http: "/", headers: { "x-echo": "trailers" }, want: { all: hasTrailer } },
      { http: "/", version: "2", headers: { "x-echo": "trailers" }, want: { all: hasTrailer } },
      {
        http: "/?echo=size=3000000",
        want: { all: ([answer]) => assert.equal(answer?.body.length, 3_000_000) },
      },
      { http: "/", method: "POST", body: "x".repeat(2_000_000), want: { body: /"bytes":2000000/ } },
      { http: "/", headers: { "x-echo": "cut" }, want: { error: /aborted|terminated|ECONNRESET/ } },
      { http: "/", headers: { "x-echo": "stall=200" }, want: {} },
    ],
  },
  {
    name: "use client protocol",
    objects: (host) => [
      destinationRule(host, { trafficPolicy: { connectionPool: { http: { useClientProtocol: true } } } }),
    ],
    checks: [
      { http: "/", version: "1.1", want: { protocol: "HTTP/1.1" } },
      { http: "/", version: "2", want: { protocol: "HTTP/2.0" } },
    ],
  },
  {
    name: "TestDestinationRule, H2 upgrade",
    objects: (host) => [destinationRule(host, H2_UPSTREAM)],
    checks: [{ http: "/", want: { protocol: "HTTP/2.0" } }],
  },
  {
    name: "TestDestinationRule, a subset's policy",
    objects: (host) => [
      destinationRule(host, { subsets: SUBSETS.map((subset) => ({ ...subset, ...H2_UPSTREAM })) }),
      virtualService(host, {
        http: [{ route: [{ destination: { host, subset: "v2" } }] }],
      }),
    ],
    checks: [{ http: "/", want: { protocol: "HTTP/2.0", version: "v2" } }],
  },
  {
    name: "TestDestinationRule, a port's policy",
    objects: (host) => [
      destinationRule(host, {
        trafficPolicy: { portLevelSettings: [{ port: { number: 8080 }, ...H2_UPSTREAM.trafficPolicy }] },
      }),
    ],
    checks: [
      { http: "/", port: 8080, want: { protocol: "HTTP/2.0" } },
      { http: "/", want: { protocol: "HTTP/1.1" } },
    ],
  },
  {
    name: "TestDestinationRule, single request",
    objects: (host) => [
      destinationRule(host, {
        trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } },
      }),
    ],
    checks: [{ http: "/", times: TIMES, keep: true, want: { all: isNewConnections } }],
  },
  {
    name: "TestServerSideLB",
    checks: [{ http: "/", version: "2", times: TIMES, keep: true, want: { all: isSeveralPods } }],
  },
  {
    name: "TestServerSideLB without a waypoint",
    service: { labels: { "istio.io/use-waypoint": "none" } },
    checks: [{ http: "/", version: "2", times: TIMES, keep: true, want: { l7: false, all: isOnePod } }],
  },
];

function hasTrailer([answer]: readonly Answer[]): void {
  assert.equal(answer?.trailers["x-echo-trailer"], "yes");
}

function isNewConnections(answers: readonly Answer[]): void {
  const seen = answers.map(reportOf).map((report) => `${report?.pod} ${report?.connection}`);
  assert.equal(new Set(seen).size, answers.length, JSON.stringify(seen));
}
