/** Connections that are not read as HTTP, and TLS with programs (reference: l7-and-cli §8.3: TestTCPRoute, TestTLSRoute, TestDestinationRule). */

import assert from "node:assert/strict";
import { type Answer, reportOf } from "./l7-calls.fixture.ts";
import {
  APPS,
  backend,
  destinationRule,
  route,
  SUBSETS,
  to,
  toSubset,
  virtualService,
} from "./l7-objects.fixture.ts";
import type { Check, Scenario, Want } from "./l7-scenario.fixture.ts";

/** Of the Secret that has the CA of the programs' certificates. */
export const CA_SECRET = "echo-ca";
/** What those certificates are for. */
export const TLS_NAME = "echo.example";

const TIMES = 10;
const bytes = (want: Want, from = "client"): Check => ({
  from,
  call: (host) => ({ kind: "bytes", host, port: 9090, send: "hello\n", until: "hello\n", times: TIMES }),
  want,
});
/** HTTP within TLS that nobody on the way ends. */
const secret = (serverName: (host: string) => string, want: Want): Check => ({
  call: (host) => ({
    kind: "bytes",
    host,
    port: 443,
    serverName: serverName(host),
    send: `GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`,
  }),
  want,
});
const fqdn = (host: string): string => `${host}.svc.cluster.local`;

/** Plain HTTP of clients, on a Service's port whose programs speak TLS. */
const TLS_PORT = 88;
const originates = (tls: object): object => ({
  trafficPolicy: { portLevelSettings: [{ port: { number: TLS_PORT }, tls: { mode: "SIMPLE", ...tls } }] },
});
const overTls = (want: Want): readonly Check[] => [
  { http: "/", port: TLS_PORT, want },
  { http: "/", want: { l7: true } },
];

export const STREAMS: readonly Scenario[] = [
  {
    name: "TestTCPRoute",
    objects: (service) => [
      route(service, [{ backendRefs: [backend("echo-v2", 9090)] }], { kind: "TCPRoute", port: 9090 }),
    ],
    checks: [bytes({ body: /^echo-v2-\S+ v2 / }), bytes({ body: /^echo-v2-\S+ v2 / }, "consumer")],
  },
  {
    name: "TestTCPRoute, by weight",
    objects: (service) => [
      route(
        service,
        [{ backendRefs: [backend("echo-v1", 9090, { weight: 1 }), backend("echo-v2", 9090, { weight: 0 })] }],
        { kind: "TCPRoute", port: 9090 },
      ),
    ],
    checks: [bytes({ body: /^echo-v1-/ })],
  },
  {
    name: "a TCP route of a VirtualService, to a subset",
    objects: (service) => [
      destinationRule(service, { subsets: SUBSETS }),
      virtualService(service, {
        tcp: [
          { match: [{ port: 9090, sourceNamespace: "consumer" }], route: [toSubset(service, "v1")] },
          { match: [{ port: 9090 }], route: [toSubset(service, "v2")] },
        ],
        http: [{ route: [to(service)] }],
      }),
    ],
    checks: [bytes({ body: /^echo-v2-/ }), bytes({ body: /^echo-v1-/ }, "consumer")],
  },
  {
    name: "TestTLSRoute",
    objects: (service) => [
      route(service, [{ backendRefs: [backend("echo-v2", 443)] }], {
        kind: "TLSRoute",
        port: 443,
        hostnames: [`${service}.${APPS}.svc.cluster.local`],
      }),
    ],
    checks: [secret(fqdn, { body: /"version":"v2"/ })],
  },
  {
    name: "TLS that no route names goes to the service",
    checks: [secret(() => "any.example", { body: /"version":"v\d"/ })],
  },
  {
    name: "TestDestinationRule, TLS SIMPLE",
    objects: (service) => [
      destinationRule(
        service,
        originates({ credentialName: CA_SECRET, sni: TLS_NAME, subjectAltNames: [TLS_NAME] }),
      ),
    ],
    checks: overTls({ l7: true, all: isSecretPort }),
  },
  {
    name: "TestDestinationRule, TLS SIMPLE without verification",
    objects: (service) => [destinationRule(service, originates({ insecureSkipVerify: true }))],
    checks: overTls({ l7: true, all: isSecretPort }),
  },
  {
    name: "TestDestinationRule, TLS SIMPLE with another name",
    objects: (service) => [
      destinationRule(
        service,
        originates({ credentialName: CA_SECRET, sni: TLS_NAME, subjectAltNames: ["other.example"] }),
      ),
    ],
    checks: overTls({ status: 503 }),
  },
  {
    name: "TestDestinationRule, ISTIO_MUTUAL",
    objects: (service) => [destinationRule(service, { trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } } })],
    checks: [{ http: "/", want: { l7: true } }],
  },
  ...(["V1", "V2"] as const).map(
    (version): Scenario => ({
      name: `TestDestinationRule, PROXY ${version}`,
      objects: (service) => [destinationRule(service, { trafficPolicy: { proxyProtocol: { version } } })],
      checks: [
        {
          http: "/",
          port: 89,
          want: {
            l7: true,
            all: ([answer]) =>
              assert.match(
                (answer && reportOf(answer)?.proxyHeader) ?? "",
                version === "V1" ? /^PROXY TCP4 10\./ : /^v2$/,
              ),
          },
        },
      ],
    }),
  ),
  {
    name: "connection pool limits",
    objects: (service) => [
      destinationRule(service, {
        trafficPolicy: {
          connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } },
        },
      }),
    ],
    checks: [
      {
        call: (host) => ({
          kind: "http",
          url: `http://${host}/`,
          times: TIMES,
          together: true,
          headers: { "x-echo": "delay=300" },
        }),
        want: { anyStatus: true, all: isOverflowing },
      },
      { http: "/", want: {} },
    ],
  },
  {
    name: "outlier detection ejects who fails",
    objects: (service) => [
      destinationRule(service, {
        trafficPolicy: {
          outlierDetection: {
            consecutive5xxErrors: 2,
            interval: "200ms",
            baseEjectionTime: "3600s",
            maxEjectionPercent: 100,
          },
          loadBalancer: { simple: "ROUND_ROBIN" },
        },
      }),
      virtualService(service, {
        http: [
          { match: [{ uri: { prefix: "/v1" } }], route: [to("echo-v1")] },
          { route: [to(service)], retries: { attempts: 0 } },
        ],
      }),
    ],
    checks: [
      // Everybody fails until nobody is left.
      {
        http: "/",
        headers: { "x-echo": "status=500" },
        times: TIMES,
        want: { anyStatus: true, all: (answers) => assert.ok(answers.some(({ status }) => status === 503)) },
      },
      { http: "/", want: { status: 503, body: "no healthy upstream" } },
      // Others reach the same pods.
      { http: "/v1", want: { version: "v1" } },
    ],
  },
];

function isSecretPort(answers: readonly Answer[]): void {
  for (const answer of answers) assert.equal(reportOf(answer)?.port, 8443);
}

function isOverflowing(answers: readonly Answer[]): void {
  assert.ok(
    answers.some(({ status }) => status === 200),
    "some are served",
  );
  const refused = answers.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0, "some are refused");
  for (const { headers } of refused) assert.equal(headers["x-envoy-overloaded"], "true");
}
