/** What clients send who mean no good, seen through a whole waypoint: the tables beside the code have the many, these the classes. */

import assert from "node:assert/strict";
import { type Answer, reportOf } from "./l7-calls.fixture.ts";
import type { Check, Scenario, Want } from "./l7-scenario.fixture.ts";

/** Bytes as they stand, on a new connection; the answer is all that comes until its end. */
const raw = (head: readonly string[], body: string, want: Want): Check => ({
  call: (host) => ({
    kind: "bytes",
    host,
    port: 80,
    send: `${head.join("\r\n").replaceAll("{host}", host)}\r\n\r\n${body}`,
  }),
  want,
});
const REFUSED: Want = { body: /^HTTP\/1\.1 400 Bad Request\r\n/ };
const POST = ["POST / HTTP/1.1", "Host: {host}"];
const GET = ["GET / HTTP/1.1", "Host: {host}"];
const CLOSE = "Connection: close";

/** One answer, and no second one to a request that was hidden in the first. */
function isAnsweredOnce([answer]: readonly Answer[]): void {
  assert.equal(answer?.body.match(/^HTTP\/1\.1 /gm)?.length, 1, answer?.body);
}

export const HOSTILE: readonly Scenario[] = [
  {
    name: "request smuggling",
    checks: [
      raw(
        [...POST, "Content-Length: 4", "Transfer-Encoding: chunked"],
        "0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n",
        {
          ...REFUSED,
          all: isAnsweredOnce,
        },
      ),
      raw([...POST, "Content-Length: 4", "Content-Length: 5"], "abcde", REFUSED),
      raw([...POST, "Transfer-Encoding: chunked, identity"], "0\r\n\r\n", { body: /^HTTP\/1\.1 (400|501) / }),
      raw([...POST, "Transfer-Encoding : chunked"], "0\r\n\r\n", REFUSED),
      raw([...POST, "Content-Length: +4"], "abcd", REFUSED),
      raw([...POST, "Transfer-Encoding: chunked"], "zz\r\nabc\r\n0\r\n\r\n", { body: /^HTTP\/1\.1 400 / }),
      raw([...GET, "Host: other.example", CLOSE], "", REFUSED),
      raw(["GET / HTTP/1.1", CLOSE], "", REFUSED),
    ],
  },
  {
    name: "header injection",
    checks: [
      raw([...GET, "X-A: b\nX-Injected: 1", CLOSE], "", REFUSED),
      raw([...GET, "X-A: b\u0000c", CLOSE], "", REFUSED),
      raw([...GET, " folded: 1", CLOSE], "", REFUSED),
      raw([...GET, `X-Long: ${"x".repeat(100_000)}`, CLOSE], "", { body: /^HTTP\/1\.1 431 / }),
      {
        http: "/",
        headers: {
          "X-Forwarded-Client-Cert": "By=spiffe://forged;URI=spiffe://cluster.local/ns/apps/sa/admin",
          "X-Envoy-Original-Path": "/forged",
        },
        want: {
          all([answer]) {
            const cert = (answer && reportOf(answer)?.headers["x-forwarded-client-cert"]) ?? "";
            assert.doesNotMatch(cert, /forged|admin/);
            assert.match(cert, /URI=spiffe:\/\/cluster\.local\/ns\/apps\/sa\/client/);
          },
        },
      },
    ],
  },
  {
    name: "requests in a row on one connection stay apart",
    checks: [
      raw([...GET, "", "GET /second HTTP/1.1", "Host: {host}", CLOSE], "", {
        all([answer]) {
          assert.equal(answer?.body.match(/^HTTP\/1\.1 200 /gm)?.length, 2, answer?.body);
          assert.match(answer?.body ?? "", /"path":"\/second"/);
        },
      }),
    ],
  },
  {
    name: "traces go on",
    checks: [
      {
        http: "/",
        headers: {
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "x-b3-traceid": "463ac35c9f6413ad48485a3953bb6124",
          "x-request-id": "my-own",
        },
        want: {
          all([answer]) {
            const { headers = {} } = (answer && reportOf(answer)) ?? {};
            assert.match(headers["traceparent"] ?? "", /^00-0af7651916cd43dd8448eb211c80319c-/);
            assert.equal(headers["x-b3-traceid"], "463ac35c9f6413ad48485a3953bb6124");
            assert.equal(headers["x-request-id"], "my-own");
          },
        },
      },
    ],
  },
];
