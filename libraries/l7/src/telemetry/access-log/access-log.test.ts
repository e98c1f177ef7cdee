import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import { ip } from "@meltemi/model";
import type { AccessLogSettings } from "@meltemi/model/l7";
import { createFakeClock } from "@meltemi/testkit";
import fc from "fast-check";
import type { RequestRecord } from "../../proxy/request-record.ts";
import {
  CALLER,
  createTelemetryBench,
  requestContext,
  requestRecord,
  tcpRecord,
  UNKNOWN_CALLER,
} from "../telemetry.fixture.ts";

const DEFAULT_TEXT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

const asText = (text: string, filter?: string): AccessLogSettings => ({
  kind: "on",
  format: { kind: "text", text },
  ...(filter !== undefined && { filter }),
});

function logged(accessLog: AccessLogSettings, ...records: readonly RequestRecord[]) {
  const made = createTelemetryBench(createFakeClock());
  const { requests, problems } = made.service({ accessLog });
  for (const record of records) requests.onComplete(record);
  return { lines: made.lines, problems };
}

function line(text: string, record: RequestRecord = requestRecord()): string {
  const { lines, problems } = logged(asText(text), record);
  assert.deepEqual(problems, []);
  assert.equal(lines.length, 1);
  return lines[0]?.replace(/\n$/, "") ?? "";
}

test("Envoy's default line of a request", () => {
  assert.equal(
    line(DEFAULT_TEXT),
    '[2025-01-02T03:04:05.678Z] "GET /reviews/0?full=1 HTTP/1.1" 200 - via_upstream - "-" 0 375 12 12 "-" "curl/8" "the-request-id" "reviews:9080" "10.0.2.2:9080" inbound-vip|9080|http|reviews.default.svc.cluster.local - 10.96.0.1:9080 10.0.1.1:40000 - default',
  );
});

test("Envoy's default line of a request that failed before an endpoint was there", () => {
  const record = requestRecord({
    context: requestContext({}, ["x-envoy-original-path", "/before"], ["x-forwarded-for", "192.0.2.1"]),
    upstream: undefined,
    responseCode: 503,
    responseFlags: ["DI", "UF"],
    responseCodeDetails: "upstream_reset_before_response_started{remote connection failure}",
    upstreamFailure: "connect to 10.0.2.2:9080: refused",
    responseHeaders: undefined,
    routeName: "",
  });
  assert.equal(
    line(DEFAULT_TEXT, record),
    '[2025-01-02T03:04:05.678Z] "GET /before HTTP/1.1" 503 DI,UF upstream_reset_before_response_started{remote_connection_failure} - "connect_to_10.0.2.2:9080:_refused" 0 375 12 - "192.0.2.1" "curl/8" "the-request-id" "reviews:9080" "-" - - 10.96.0.1:9080 10.0.1.1:40000 - -',
  );
});

test("Envoy's default line of a connection", () => {
  const made = createTelemetryBench(createFakeClock());
  made.service({ accessLog: asText(DEFAULT_TEXT) }).connections.onComplete(
    tcpRecord({
      responseFlags: ["UC"],
      details: "upstream_connection_termination",
      upstreamFailure: "reset",
    }),
  );
  assert.deepEqual(made.lines, [
    '[2025-01-02T03:04:05.678Z] "- - -" 0 UC - upstream_connection_termination "reset" 10 20 1000 - "-" "-" "-" "-" "10.0.2.2:9080" - - 10.96.0.1:5432 10.0.1.1:40000 - -\n',
  ]);
});

const GRPC = { requestMessages: 1, responseMessages: 1 };
const operators: readonly {
  readonly format: string;
  readonly want: string;
  readonly given?: Partial<RequestRecord>;
}[] = [
  { format: "%%x%%", want: "%x%" },
  { format: "", want: "" },
  {
    format: "%START_TIME(%Y/%m/%dT%H:%M:%S%z %s %3f %6f %9f)%",
    want: "2025/01/02T03:04:05+0000 1735787045 678 678000 678000000",
  },
  {
    format: "%START_TIME(%a %A %b %B %e %j %I %p %y %D %F %T %R %Z %% (x))%",
    want: "Thu Thursday Jan January  2 002 03 AM 25 01/02/25 2025-01-02 03:04:05 03:04 UTC % (x)",
  },
  { format: "%REQ(:SCHEME)%", want: "http" },
  { format: "%REQ(host)%", want: "reviews:9080" },
  { format: "%REQ(User-Agent):3%", want: "cur" },
  { format: "%REQ(X-A?USER-AGENT):4%", want: "curl" },
  { format: "%REQ(X-A?X-B)%", want: "-" },
  { format: "%REQ_WITHOUT_QUERY(:PATH)%", want: "/reviews/0" },
  { format: "%RESP(Content-Type)% %RESP(:STATUS)%", want: "application/json 200" },
  { format: "%TRAILER(x-t)%", want: "v", given: { responseTrailers: HeaderFields.of(["x-t", "v"]) } },
  {
    format: "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%",
    want: "InvalidArgument INVALID_ARGUMENT 3",
    given: { grpc: { ...GRPC, status: 3 } },
  },
  { format: "%GRPC_STATUS% %GRPC_STATUS_NUMBER%", want: "OK 0", given: { grpc: { ...GRPC, status: 0 } } },
  { format: "%GRPC_STATUS%", want: "-" },
  { format: "%RESPONSE_CODE%", want: "0", given: { responseCode: 0 } },
  {
    format: "%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    want: "10.0.2.2:9080 9080 10.0.2.2",
  },
  {
    format: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_LOCAL_PORT%",
    want: "10.0.1.1 40000 9080",
  },
  { format: "%DOWNSTREAM_PEER_URI_SAN%", want: "spiffe://cluster.local/ns/default/sa/bookinfo-productpage" },
  {
    format: "%DOWNSTREAM_PEER_URI_SAN%",
    want: "-",
    given: { context: requestContext({ caller: UNKNOWN_CALLER }) },
  },
  {
    format: "%DOWNSTREAM_REMOTE_ADDRESS%",
    want: "[fd00::1]:40000",
    given: { context: requestContext({ caller: { ...CALLER, ip: ip("fd00::1") } }) },
  },
  {
    format: "%REQUESTED_SERVER_NAME%",
    want: "a.example",
    given: { context: requestContext({ serverName: "a.example" }) },
  },
  { format: "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %HOSTNAME%", want: "1 waypoint-abc" },
  { format: "%CEL(request.method + string(response.code))%", want: "GET200" },
  { format: "%CEL(request.nothing)%", want: "-" },
  {
    format:
      "%DYNAMIC_METADATA(jwt:payload:sub)% %DYNAMIC_METADATA(jwt:payload):9% %DYNAMIC_METADATA(no)% %DYNAMIC_METADATA(jwt:constructor)%",
    want: 'me {\\"sub\\":\\"m - -',
    given: { context: requestContext({ metadata: new Map([["jwt", { payload: { sub: "me" } }]]) }) },
  },
  { format: "%UPSTREAM_TLS_VERSION%", want: "-" },
  {
    format: "%TRACE_ID%",
    want: "4bf92f3577b34da6a3ce929d0e0e4736",
    given: {
      context: requestContext({}, ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]),
    },
  },
];
for (const { format, want, given } of operators)
  test(`format ${JSON.stringify(format)}`, () => assert.equal(line(format, requestRecord(given)), want));

const refusals: readonly { readonly format: string; readonly why: RegExp }[] = [
  { format: "%", why: /expected a command operator/ },
  { format: "100% sure", why: /expected a command operator/ },
  { format: "%REQ(X%", why: /closing parenthesis/ },
  { format: "%DURATION", why: /percent sign at the end/ },
  { format: "%DURATION:%", why: /number of characters/ },
  { format: "%DURATION:99999999999999999999%", why: /number of characters/ },
  { format: "%duration%", why: /expected a command operator/ },
  { format: "%NOTHING%", why: /no command operator %NOTHING%/ },
  { format: "%REQ%", why: /name of a header/ },
  { format: "%REQ()%", why: /name of a header/ },
  { format: "%REQ(A?B?C)%", why: /name of a header/ },
  { format: "%REQ(A B)%", why: /name of a header/ },
  { format: "%START_TIME(%Q)%", why: /specifiers/ },
  { format: "%GRPC_STATUS(LOUD)%", why: /CAMEL_STRING/ },
  { format: "%DYNAMIC_METADATA()%", why: /name of a filter/ },
  { format: "%CEL(1 +)%", why: /compile CEL/ },
  { format: "x".repeat(20_000), why: /at most 16384/ },
];
for (const { format, why } of refusals)
  test(`format ${JSON.stringify(format.slice(0, 30))} is told of`, () => {
    const { lines, problems } = logged(asText(format), requestRecord());
    assert.equal(lines.length, 1, "the log goes on");
    assert.match(problems.join("\n"), why);
  });

test("JSON keeps numbers and writes null for nothing, in the order of its labels", () => {
  const labels = {
    response_code: "%RESPONSE_CODE%",
    flags: "%RESPONSE_FLAGS%",
    path: "%REQ(:PATH)%",
    both: "%PROTOCOL% %RESPONSE_FLAGS% %BYTES_SENT%",
    duration: "%DURATION%",
    fixed: "text",
  };
  const { lines } = logged({ kind: "on", format: { kind: "json", labels } }, requestRecord());
  assert.equal(
    lines[0],
    '{"response_code":200,"flags":null,"path":"/reviews/0?full=1","both":"HTTP/1.1 - 375","duration":12,"fixed":"text"}\n',
  );
});

test("a client cannot forge a line, nor end the quotes around what it sends", () => {
  const hostile = '"\n[2025] "GET / HTTP/1.1" 200\r\x00\x1b[2J\\\x7f\xe9';
  const record = requestRecord({ context: requestContext({}, ["x", hostile]) });
  assert.equal(
    line('"%REQ(X)%"', record),
    '"\\"\\x0a[2025] \\"GET / HTTP/1.1\\" 200\\x0d\\x00\\x1b[2J\\\\\\x7f\\xe9"',
  );
  const { lines } = logged({ kind: "on", format: { kind: "json", labels: { x: "%REQ(X)%" } } }, record);
  assert.equal(lines[0]?.split("\n").length, 2);
  assert.equal(Object.keys(JSON.parse(lines[0] ?? "")).length, 1);
});

test("a filter chooses lines; one that fails or is no CEL chooses none", () => {
  const records = [200, 404, 503].map((responseCode) => requestRecord({ responseCode }));
  const codes = (filter: string): string =>
    logged(asText("%RESPONSE_CODE%", filter), ...records).lines.join("");
  assert.equal(codes("response.code >= 400"), "404\n503\n");
  assert.equal(codes("connection.mtls && request.method == 'GET'"), "200\n404\n503\n");
  assert.equal(codes("request.headers['nothing'] == 'x'"), "");
  assert.equal(codes("response.code"), "");
  const { lines, problems } = logged(asText("x", "response.code >="), ...records);
  assert.deepEqual(lines, []);
  assert.match(problems.join(), /access log filter/);
});

test("nothing is written when it is off", () => {
  assert.deepEqual(logged({ kind: "off" }, requestRecord()).lines, []);
});

test("whatever a format is and whatever is sent, a request is one line", () => {
  const bits = fc.constantFrom(
    "%",
    "%%",
    "REQ",
    "(",
    ")",
    ":",
    "?",
    "X",
    "START_TIME",
    "%Y",
    "5",
    "DURATION",
    "CEL",
    "a",
    "\\",
    '"',
    "-",
  );
  const formats = fc.oneof(
    fc.array(bits, { maxLength: 15 }).map((parts) => parts.join("")),
    fc.string().filter((text) => !text.includes("\n")),
  );
  fc.assert(
    fc.property(formats, fc.string({ unit: "binary" }), (format, sent) => {
      const value = Buffer.from(sent).toString("latin1");
      const { lines } = logged(
        asText(`${format}%REQ(X)%`),
        requestRecord({ context: requestContext({}, ["x", value]) }),
      );
      assert.equal(lines.length, 1);
      assert.equal(lines[0]?.indexOf("\n"), (lines[0]?.length ?? 0) - 1);
    }),
    { numRuns: 500 },
  );
});
