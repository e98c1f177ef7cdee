/** What a waypoint would do, by variations of a real dump: protocols, tokens, external authorizers, limits, faults, refusals. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ip, newWorkload, workloadIdentity } from "@meltemi/model";
import type { RateLimit, ServedPort, ServedService, WaypointSettings } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { explainWaypoint } from "./waypoint-hop.ts";
import { readWaypointView, type WaypointView } from "./waypoint-view.ts";

const DUMP = readFileSync(join(import.meta.dirname, "../testdata/waypoint.dump.json"), "utf8");
const KEY = "shop/server.shop.svc.cluster.local";

interface Change {
  readonly service?: Partial<ServedService>;
  readonly port?: Partial<ServedPort>;
  readonly settings?: Partial<WaypointSettings>;
}

function viewWith({ service, port, settings }: Change): WaypointView {
  const view = readWaypointView(JSON.parse(DUMP));
  const served = view.served.get(KEY);
  assert.ok(served !== undefined);
  const ports = served.ports.map((one) => ({ ...one, ...port }));
  return {
    ...view,
    served: new Map([[KEY, { ...served, policies: [], ports, ...service }]]),
    settings: { ...view.settings, ...settings },
  };
}

const client = newWorkload({ uid: "c", name: "client", namespace: "shop", serviceAccount: "client" });
const everything = { kind: "forward", targets: [], mirrors: [] } as const;
const route = { name: "r", matches: [], action: everything };
const rule = { from: [], to: [], when: [] };
const policy = { namespace: "shop", name: "p", dryRun: false, rules: [rule] };
const jwt = {
  issuer: "https://issuer",
  audiences: [],
  jwks: '{"keys":[]}',
  fromHeaders: [],
  fromParams: [],
  fromCookies: [],
  forwardOriginalToken: false,
  outputClaimToHeaders: [],
  spaceDelimitedClaims: [],
};
const limit = {
  namespace: "shop",
  name: "limit",
  operations: [],
  keys: [],
  limit: { kind: "local", requests: 1, perMs: 1000, burst: 1 },
} as const;

const CLUSTER = "inbound-vip|80|http|server.shop.svc.cluster.local";

function globalLimit(change: { readonly cluster?: string; readonly failOpen?: boolean }): RateLimit {
  const global = { kind: "global", domain: "d", cluster: "gone", timeoutMs: 20, failOpen: false } as const;
  return { ...limit, limit: { ...global, ...change } };
}

interface Case {
  readonly name: string;
  readonly change?: Change;
  readonly to?: string;
  readonly port?: number;
  readonly path?: string;
  readonly token?: string;
  readonly verdict: string;
  readonly status?: number;
  readonly says?: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "no policy, no route",
    change: { port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /no route: goes to inbound-vip/,
  },
  {
    name: "a service that is not bound",
    to: "10.96.0.18",
    verdict: "denied",
    status: 400,
    says: /not bound to this waypoint/,
  },
  {
    name: "an address that nobody has",
    to: "10.9.9.9",
    verdict: "denied",
    status: 400,
    says: /unknown destination/,
  },
  {
    name: "a port that the service has not",
    port: 81,
    verdict: "denied",
    status: 503,
    says: /has no port 81: it has \d+/,
  },
  {
    name: "a pod, where services only are served",
    to: "10.244.1.4",
    port: 8080,
    verdict: "denied",
    status: 400,
    says: /serves service traffic/,
  },
  {
    name: "a pod, where workloads are served",
    change: { settings: { trafficType: "workload" } },
    to: "10.244.1.4",
    port: 8080,
    verdict: "allowed",
  },
  { name: "a path that cannot be read", path: "/\u0001", verdict: "denied", status: 400 },
  {
    name: "a bad token",
    change: { service: { jwtRules: [jwt] } },
    token: "Bearer nonsense",
    verdict: "denied",
    status: 401,
  },
  {
    name: "no token, where none is required",
    change: { service: { jwtRules: [jwt] }, port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /tokens of https:\/\/issuer are verified/,
  },
  {
    name: "denied by name",
    change: { service: { policies: [{ ...policy, action: "deny" }] } },
    verdict: "denied",
    status: 403,
    says: /explicitly denied by: ns\[shop\]-policy\[p\]-rule\[0\]/,
  },
  {
    name: "a trial denies nobody",
    change: {
      service: { policies: [{ ...policy, action: "deny", dryRun: true }] },
      port: { httpRoutes: [] },
    },
    verdict: "allowed",
  },
  {
    name: "an external authorizer",
    change: { service: { policies: [{ ...policy, action: { provider: "x" } }] }, port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /external authorizer is asked, and may still refuse/,
  },
  {
    name: "a rate limit",
    change: { service: { rateLimits: [limit] }, port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /rate limit shop\/limit may refuse with 429 \(1 per 1s, at most 1 at once, in each replica\)/,
  },
  {
    name: "a rate limit that is about other requests",
    change: {
      service: { rateLimits: [{ ...limit, keys: [{ kind: "header", name: "x-user" }] }] },
      port: { httpRoutes: [] },
    },
    verdict: "allowed",
    says: /rate limit shop\/limit does not count this request: it has no header x-user/,
  },
  {
    name: "a global rate limit whose service there is not",
    change: { service: { rateLimits: [globalLimit({})] } },
    verdict: "answered",
    status: 500,
    says: /shop\/limit asks gone, which is not known to the waypoint: the waypoint answers 500/,
  },
  {
    name: "a global rate limit without its service, which fails open",
    change: { service: { rateLimits: [globalLimit({ failOpen: true })] }, port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /the waypoint lets it pass \(failOpen\)/,
  },
  {
    name: "a global rate limit",
    change: { service: { rateLimits: [globalLimit({ cluster: CLUSTER })] }, port: { httpRoutes: [] } },
    verdict: "allowed",
    says: /may refuse with 429; without an answer in 20 ms the waypoint answers 500.*unless rate limit shop\/limit refuses/s,
  },
  {
    name: "denied before any limit counts",
    change: { service: { policies: [{ ...policy, action: "deny" }], rateLimits: [globalLimit({})] } },
    verdict: "denied",
    status: 403,
  },
  {
    name: "no route takes it",
    change: {
      port: {
        httpRoutes: [
          { ...route, matches: [{ headers: [], queryParams: [], path: { kind: "exact", value: "/x" } }] },
        ],
      },
    },
    verdict: "answered",
    status: 404,
  },
  {
    name: "a route without destinations",
    change: { port: { httpRoutes: [route] } },
    verdict: "answered",
    status: 500,
  },
  {
    name: "a route that answers itself, with a fault",
    change: {
      port: {
        httpRoutes: [
          {
            ...route,
            action: { kind: "respond", status: 418, body: "" },
            fault: { delay: { durationMs: 5, percent: 10 } },
          },
        ],
      },
    },
    verdict: "answered",
    status: 418,
    says: /holds 10% of requests for 5 ms/,
  },
  {
    name: "bytes",
    change: { port: { protocol: "tcp" } },
    verdict: "allowed",
    says: /carries bytes on port 80, unread \(tcp\)/,
  },
  {
    name: "bytes, denied",
    change: { port: { protocol: "tcp" }, service: { policies: [{ ...policy, action: "deny" }] } },
    verdict: "denied",
    says: /explicitly denied by/,
  },
  {
    name: "bytes that no route takes",
    change: {
      port: {
        protocol: "tls",
        tcpRoutes: [{ name: "t", matches: [{ destinationSubnets: [], sniHosts: ["a"] }], targets: [] }],
      },
    },
    verdict: "denied",
    says: /no route matches the connection/,
  },
];

for (const {
  name,
  change = {},
  to = "10.96.0.17",
  port = 80,
  path = "/",
  token,
  verdict,
  status,
  says,
} of CASES)
  test(`at a waypoint: ${name}`, async () => {
    const outcome = await explainWaypoint(
      viewWith(change),
      {
        caller: { workload: client, ip: ip("10.244.2.4"), identity: workloadIdentity(client), labels: {} },
        destination: { ip: ip(to), port },
        request: {
          method: "GET",
          path,
          authority: "server",
          headers: token === undefined ? [] : [["authorization", token]],
        },
      },
      systemClock,
    );
    assert.equal(outcome.verdict.kind, verdict, JSON.stringify(outcome.verdict));
    if (status !== undefined) assert.equal("status" in outcome.verdict && outcome.verdict.status, status);
    if (says !== undefined)
      assert.match([...outcome.steps, ...outcome.afterwards, outcome.verdict.reason].join("\n"), says);
  });

test("a token is never repeated", async () => {
  const view = viewWith({ service: { jwtRules: [jwt] } });
  const secret = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3VlciJ9.c2VjcmV0";
  const outcome = await explainWaypoint(
    view,
    {
      caller: { workload: client, ip: ip("10.244.2.4"), identity: workloadIdentity(client), labels: {} },
      destination: { ip: ip("10.96.0.17"), port: 80 },
      request: {
        method: "GET",
        path: "/",
        authority: "server",
        headers: [["authorization", `Bearer ${secret}`]],
      },
    },
    systemClock,
  );
  assert.doesNotMatch(JSON.stringify(outcome), /c2VjcmV0/);
});
