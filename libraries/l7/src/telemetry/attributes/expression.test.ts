import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { requestContext, requestRecord, tcpRecord, UNKNOWN_CALLER } from "../telemetry.fixture.ts";
import { compileExpression } from "./expression.ts";
import { REQUEST_ATTRIBUTES } from "./request-attributes.ts";
import { TCP_ATTRIBUTES } from "./tcp-attributes.ts";

function evaluate(text: string, record = requestRecord()): unknown {
  const outcome = compileExpression(text);
  if (outcome.kind === "bad") assert.fail(outcome.why);
  return outcome.expression.bind(REQUEST_ATTRIBUTES)(record);
}

const values: readonly (readonly [text: string, want: unknown])[] = [
  ["request.path", "/reviews/0?full=1"],
  ["request.url_path", "/reviews/0"],
  ["request.query", "full=1"],
  ["request.host", "reviews:9080"],
  ["request.method + ' ' + request.scheme + ' ' + request.protocol", "GET http HTTP/1.1"],
  ["request.headers['user-agent']", "curl/8"],
  ["request.useragent", "curl/8"],
  ["request.id", "the-request-id"],
  ["request.referer", ""],
  ["request.time == timestamp('2025-01-02T03:04:05.678Z')", true],
  ["request.duration", 12n],
  ["request.size", 0n],
  ["response.code", 200n],
  ["response.code_details", "via_upstream"],
  ["response.headers['content-type']", "application/json"],
  ["response.size", 375n],
  ["response.backend_latency", 12n],
  ["source.address", "10.0.1.1:40000"],
  ["source.port", 40_000n],
  ["destination.address", "10.96.0.1:9080"],
  ["connection.mtls", true],
  ["connection.uri_san_peer_certificate", "spiffe://cluster.local/ns/default/sa/bookinfo-productpage"],
  ["upstream.address", "10.0.2.2:9080"],
  ["upstream.request_attempt_count", 1n],
  ["xds.route_name", "default"],
  ["filter_state.downstream_peer.workload", "productpage-v1"],
  ["filter_state.downstream_peer.labels['app']", "productpage"],
  ["filter_state.upstream_peer.identity", "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"],
  ["has(request.headers.nothing)", false],
  ["'user-agent' in request.headers", true],
  ["!('x' in request.headers)", true],
  ["-response.code", -200n],
  ["request.headers.exists(name, name == 'x-request-id' && response.code == 200)", true],
  ["['/reviews/0'].exists(path, path == request.url_path)", true],
  ["{'a': request.method}['a']", "GET"],
  ["response.code >= 400 ? 'bad' : 'good'", "good"],
  ["request['method']", "GET"],
  ["request.path.matches('^/reviews/[0-9]+')", true],
  ["request.path.matches('reviews$')", false],
  ["request.path.matches('(?i)REVIEWS') && request.method.matches('^GET$')", true],
  ["'matches' .matches ('at')", true],
];
for (const [text, want] of values) test(`CEL ${text}`, () => assert.deepEqual(evaluate(text), want));

const failing: readonly string[] = [
  "request.headers['nothing']",
  "request.nothing",
  "response.grpc_status",
  "connection.requested_server_name",
  "1 / 0",
  "request.__proto__",
  "request.constructor.name",
  "int(request.path)",
];
for (const text of failing) test(`CEL fails quietly: ${text}`, () => assert.equal(evaluate(text), undefined));

test("text of the wire is Unicode in CEL", () => {
  const wire = Buffer.from("/grüße").toString("latin1");
  const record = requestRecord({ context: requestContext({}, ["x-greeting", wire]) });
  assert.equal(evaluate("request.headers['x-greeting'] == '/grüße'", record), true);
});

test("who is not known has no peer and no identity", () => {
  const record = requestRecord({ context: requestContext({ caller: UNKNOWN_CALLER }), upstream: undefined });
  for (const text of [
    "filter_state.downstream_peer.name",
    "filter_state.upstream_peer.name",
    "upstream.port",
  ])
    assert.equal(evaluate(text, record), undefined);
  assert.equal(evaluate("connection.mtls", record), false);
});

test("a connection has no request head, and the code 0", () => {
  const outcome = compileExpression("response.code == 0 && request.size == 10 && destination.port == 5432");
  assert.ok(outcome.kind === "ok");
  assert.equal(outcome.expression.bind(TCP_ATTRIBUTES)(tcpRecord()), true);
  const path = compileExpression("request.path");
  assert.ok(path.kind === "ok");
  assert.equal(path.expression.bind(TCP_ATTRIBUTES)(tcpRecord()), undefined);
});

test("a pattern that a back-tracking engine takes ages for costs linear time", () => {
  const record = requestRecord({ context: requestContext({}, ["x", `${"a".repeat(5000)}!`]) });
  assert.equal(evaluate("request.headers['x'].matches('^(a+)+$')", record), false);
});

test("any text is an expression or refused in words, and evaluation never throws", () => {
  const words = fc.constantFrom(
    "request",
    "response",
    ".",
    "path",
    "code",
    "(",
    ")",
    "'",
    "==",
    "&&",
    "1",
    "[",
    "]",
    "matches",
    ",",
    "?",
    ":",
    "has",
    "x",
  );
  const texts = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const outcome = compileExpression(text);
      if (outcome.kind === "bad") assert.match(outcome.why, /^compile CEL/);
      else outcome.expression.bind(REQUEST_ATTRIBUTES)(requestRecord());
    }),
    { numRuns: 1000 },
  );
});
