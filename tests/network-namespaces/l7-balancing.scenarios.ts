/** Which endpoint a request goes to: consistent hashing (reference: l7-and-cli §8.4) and balancing by request (§8.3). */

import assert from "node:assert/strict";
import { type Answer, tally } from "./l7-calls.fixture.ts";
import { destinationRule, virtualHttp } from "./l7-objects.fixture.ts";
import { type Check, isAnswered, type Scenario } from "./l7-scenario.fixture.ts";

const hashed = (consistentHash: object, more: object = {}): object => ({
  trafficPolicy: { loadBalancer: { consistentHash } },
  ...more,
});

/** Every answer from one pod. */
export function isOnePod(answers: readonly Answer[]): void {
  const pods = tally(answers, "pod");
  assert.equal(Object.keys(pods).length, 1, JSON.stringify(pods));
}

export function isSeveralPods(answers: readonly Answer[]): void {
  const pods = tally(answers, "pod");
  assert.ok(Object.keys(pods).length > 1, JSON.stringify(pods));
}

export const TIMES = 20;
const sticky = (headers: Readonly<Record<string, string>> = {}, http = "/"): Check => ({
  http,
  headers,
  times: TIMES,
  want: { all: isOnePod },
});
const spread: Check = { http: "/", times: TIMES, want: { all: isSeveralPods } };

/** Many keys find different pods, each always its own. */
const byKey = (keyed: (key: number) => Check): readonly Check[] => [1, 2, 3, 4, 5, 6].map(keyed);

const COOKIE = { name: "session", path: "/" };

export const BALANCING: readonly Scenario[] = [
  { name: "consistent hash none", checks: [spread] },
  {
    name: "consistent hash source ip",
    objects: (host) => [destinationRule(host, hashed({ useSourceIp: true }))],
    checks: [sticky()],
  },
  {
    name: "consistent hash query param",
    objects: (host) => [destinationRule(host, hashed({ httpQueryParameterName: "key" }))],
    checks: byKey((key) => sticky({}, `/?key=${key}`)),
  },
  {
    name: "consistent hash http header",
    objects: (host) => [destinationRule(host, hashed({ httpHeaderName: "x-key" }))],
    checks: byKey((key) => sticky({ "x-key": `key-${key}` })),
  },
  {
    name: "consistent hash http header, Maglev",
    objects: (host) => [destinationRule(host, hashed({ httpHeaderName: "x-key", maglev: {} }))],
    checks: byKey((key) => sticky({ "x-key": `key-${key}` })),
  },
  {
    name: "consistent hash with a VirtualService",
    objects: (host) => [destinationRule(host, hashed({ httpHeaderName: "x-key" })), virtualHttp(host, {})],
    checks: byKey((key) => sticky({ "x-key": `key-${key}` })),
  },
  {
    name: "consistent hash http cookie with ttl",
    objects: (host) => [destinationRule(host, hashed({ httpCookie: { ...COOKIE, ttl: "3600s" } }))],
    checks: [
      {
        http: "/",
        want: {
          all([answer]) {
            assert.match(
              answer?.headers["set-cookie"] ?? "",
              /^session="?[^;"]+"?; Max-Age=3600; Path=\/; HttpOnly$/,
            );
          },
        },
      },
      sticky({ Cookie: "session=abc" }),
    ],
  },
  {
    name: "consistent hash http cookie without ttl",
    objects: (host) => [destinationRule(host, hashed({ httpCookie: COOKIE }))],
    checks: [sticky({ Cookie: "session=abc" }), isAnswered("/", { headers: { "set-cookie": undefined } })],
  },
  {
    name: "consistent hash tcp source ip",
    objects: (host) => [destinationRule(host, hashed({ useSourceIp: true }))],
    checks: [
      {
        call: (host) => ({
          kind: "bytes",
          host,
          port: 9090,
          send: "hello\n",
          until: "hello\n",
          times: TIMES,
        }),
        want: {
          all: (answers) => assert.equal(new Set(answers.map(({ body }) => body.split(" ")[0])).size, 1),
        },
      },
    ],
  },
];
