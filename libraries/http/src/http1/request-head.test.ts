import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { type ParsedRequest, parseRequestHead } from "./request-head.ts";

function parse(text: string): ReturnType<typeof parseRequestHead> {
  // Not at the start of its buffer, to show that nothing counts from there.
  const bytes = Buffer.from(`xyz${text}`, "latin1");
  return parseRequestHead(bytes, 3, bytes.length, DEFAULT_HTTP1_LIMITS);
}

function accepted(text: string): ParsedRequest {
  const parsed = parse(text);
  assert.equal(parsed.kind, "ok", parsed.kind === "bad" ? parsed.why : "");
  return parsed as ParsedRequest;
}

const get = (fields: string, line = "GET / HTTP/1.1"): string => `${line}\r\nHost: a\r\n${fields}\r\n`;

const targets: readonly (readonly [
  name: string,
  line: string,
  want: readonly [scheme: string, authority: string, path: string],
])[] = [
  ["origin form", "GET /a/b?c=d HTTP/1.1", ["http", "a", "/a/b?c=d"]],
  ["two slashes are a path", "GET //evil/x HTTP/1.1", ["http", "a", "//evil/x"]],
  ["what browsers send in queries", 'GET /?q={a|b}^`"\\<> HTTP/1.1', ["http", "a", '/?q={a|b}^`"\\<>']],
  ["absolute form wins over Host", "GET http://b:81/x?y HTTP/1.1", ["http", "b:81", "/x?y"]],
  ["absolute form of https", "GET HTTPS://b/ HTTP/1.1", ["https", "b", "/"]],
  ["absolute form without path", "GET http://b HTTP/1.1", ["http", "b", "/"]],
  ["absolute form with query only", "GET http://b?c HTTP/1.1", ["http", "b", "/?c"]],
  ["OPTIONS of the server", "OPTIONS * HTTP/1.1", ["http", "a", "*"]],
  ["OPTIONS of the server by URL", "OPTIONS http://b HTTP/1.1", ["http", "b", "*"]],
  ["CONNECT", "CONNECT b:443 HTTP/1.1", ["http", "b:443", ""]],
  ["CONNECT to an IPv6 address", "CONNECT [::1]:443 HTTP/1.1", ["http", "[::1]:443", ""]],
];

for (const [name, line, want] of targets)
  test(`target: ${name}`, () => {
    const { head } = accepted(get("", line));
    assert.deepEqual([head.scheme, head.authority, head.path], want);
  });

test("names are lower case, values are trimmed, order and repetition are kept", () => {
  const { head } = accepted(
    get("X-B:  two words \t\r\nCookie: a=1\r\nX-Empty:\r\nx-obs: \xe4\r\nCOOKIE: b=2\r\n"),
  );
  assert.deepEqual(head.headers.flat, [
    "x-b",
    "two words",
    "cookie",
    "a=1",
    "x-empty",
    "",
    "x-obs",
    "\xe4",
    "cookie",
    "b=2",
  ]);
});

test("names that share a slot of the table stay apart, long names are kept whole", () => {
  const names = Array.from({ length: 90 }, (_, at) => `x-${"n".repeat(at)}-${at}`);
  for (let round = 0; round < 30; round++) {
    const some = names.map((name) => `${name}${round}`);
    const { head } = accepted(get(some.map((name) => `${name}: ${name}\r\n`).join("")));
    assert.deepEqual(
      head.headers.flat,
      some.flatMap((name) => [name, name]),
    );
  }
});

test("HTTP/1.0 without Host has no authority and ends the connection", () => {
  const parsed = accepted("GET / HTTP/1.0\r\n\r\n");
  assert.equal(parsed.head.version, "HTTP/1.0");
  assert.equal(parsed.head.authority, "");
  assert.equal(parsed.keepAlive, false);
  assert.equal(accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keepAlive, true);
});

test("framing: length, chunks, none; a length of zero is no body", () => {
  assert.deepEqual(accepted(get("Content-Length: 12\r\n")).body, { kind: "length", bytes: 12 });
  assert.deepEqual(accepted(get("Transfer-Encoding: Chunked\r\n")).body, { kind: "chunked" });
  assert.deepEqual(accepted(get("Content-Length: 0\r\n")).body, { kind: "none" });
  assert.equal(accepted(get("Content-Length: 0\r\n")).head.headers.get("content-length"), "0");
  assert.deepEqual(accepted(get("")).body, { kind: "none" });
  assert.equal(accepted(get("Transfer-Encoding: chunked\r\n")).head.headers.count, 0);
});

test("fields of the connection, and those it names, are not passed on", () => {
  const parsed = accepted(
    get(
      "Connection: close, X-Hop, TE\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip, trailers\r\nX-Stay: 1\r\n",
    ),
  );
  assert.deepEqual(parsed.head.headers.flat, ["x-stay", "1", "te", "trailers"]);
  assert.equal(parsed.keepAlive, false);
});

const upgrades: readonly (readonly [name: string, fields: string, want: string | undefined])[] = [
  ["WebSocket", "Connection: Upgrade\r\nUpgrade: WebSocket\r\n", "websocket"],
  ["with a version", "Connection: keep-alive, upgrade\r\nUpgrade: SPDY/3.1\r\n", "spdy/3.1"],
  ["the first of several", "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n", "websocket"],
  ["not without connection", "Upgrade: websocket\r\n", undefined],
  [
    "not h2c, which would pass every policy",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    undefined,
  ],
  ["not with a body", "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", undefined],
  ["not what is no protocol", "Connection: upgrade\r\nUpgrade: web socket\r\n", undefined],
];

for (const [name, fields, want] of upgrades)
  test(`upgrade: ${name}`, () => {
    const { head } = accepted(get(fields));
    assert.equal(head.upgrade, want);
    for (const gone of ["upgrade", "connection", "http2-settings"])
      assert.equal(head.headers.has(gone), false);
  });

test("upgrade is ignored for HTTP/1.0", () => {
  const parsed = accepted("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  assert.equal(parsed.head.upgrade, undefined);
});

test("100-continue counts with a body and HTTP/1.1; another expectation is passed on", () => {
  const body = "Content-Length: 1\r\n";
  assert.equal(accepted(get(`Expect: 100-Continue\r\n${body}`)).head.expectsContinue, true);
  assert.equal(accepted(get("Expect: 100-continue\r\n")).head.expectsContinue, false);
  const old = accepted(`PUT / HTTP/1.0\r\nExpect: 100-continue\r\n${body}\r\n`);
  assert.equal(old.head.expectsContinue, false);
  assert.equal(accepted(get("Expect: magic\r\n")).head.headers.get("expect"), "magic");
});

/** Each with the status that a server answers, 400 when none is given. */
const refusals: readonly (readonly [name: string, head: string, status?: number])[] = [
  ["no method", " / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a method that is no token", get("", "G(T / HTTP/1.1")],
  ["a method with a colon", get("", "GET: / HTTP/1.1")],
  ["a method with a byte above ASCII", get("", "GE\xc4 / HTTP/1.1")],
  ["two spaces before the target", get("", "GET  / HTTP/1.1")],
  ["a tab instead of a space", get("", "GET\t/ HTTP/1.1")],
  ["two spaces after the target", get("", "GET /  HTTP/1.1")],
  ["a space within the target", get("", "GET /a b HTTP/1.1")],
  ["space after the version", get("", "GET / HTTP/1.1 ")],
  ["no target", get("", "GET HTTP/1.1")],
  ["no version (HTTP/0.9)", get("", "GET /")],
  ["a fragment", get("", "GET /a#b HTTP/1.1")],
  ["raw bytes above ASCII in the target", get("", "GET /\xe4 HTTP/1.1")],
  ["a control character in the target", get("", "GET /\x01 HTTP/1.1")],
  ["NUL in the target", get("", "GET /\x00 HTTP/1.1")],
  ["DEL in the target", get("", "GET /\x7f HTTP/1.1")],
  ["a bare CR in the request line", get("", "GET /\r HTTP/1.1")],
  ["a relative path", get("", "GET a/b HTTP/1.1")],
  ["asterisk with GET", get("", "GET * HTTP/1.1")],
  ["asterisk and more", get("", "OPTIONS */ HTTP/1.1")],
  ["another scheme", get("", "GET ftp://b/ HTTP/1.1")],
  ["a URL without host", get("", "GET http:///x HTTP/1.1")],
  ["a URL with user information", get("", "GET http://u:p@b/ HTTP/1.1")],
  ["a URL with an impossible port", get("", "GET http://b:65536/ HTTP/1.1")],
  ["CONNECT without port", get("", "CONNECT b HTTP/1.1")],
  ["CONNECT with a path", get("", "CONNECT b:1/x HTTP/1.1")],
  ["CONNECT with a URL", get("", "CONNECT http://b:1 HTTP/1.1")],
  ["CONNECT with a length", get("Content-Length: 3\r\n", "CONNECT b:1 HTTP/1.1")],
  ["CONNECT with chunks", get("Transfer-Encoding: chunked\r\n", "CONNECT b:1 HTTP/1.1")],
  ["HTTP/1.2", get("", "GET / HTTP/1.2"), 505],
  ["HTTP/2.0", get("", "GET / HTTP/2.0"), 505],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", 505],
  ["http/1.1", get("", "GET / http/1.1")],
  ["HTTP/1.10", get("", "GET / HTTP/1.10")],
  ["HTTP/01.1", get("", "GET / HTTP/01.1")],
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"],
  ["two Hosts", get("Host: a\r\n")],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
  ["a Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"],
  ["a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["a Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"],
  ["a Host with port 0", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"],
  ["a Host that is an open IPv6 address", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"],
  ["a Host that is a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"],
  ["a Host that is too long", `GET / HTTP/1.1\r\nHost: ${"a".repeat(300)}\r\n\r\n`],
  ["a bad Host beside a URL", "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["a bad Host with HTTP/1.0", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"],
  ["a space before the colon", get("X-A : 1\r\n")],
  ["a tab before the colon", get("X-A\t: 1\r\n")],
  ["a space before the first name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
  ["a folded line", get("X-A: 1\r\n 2\r\n")],
  ["a line folded with a tab", get("X-A: 1\r\n\t2\r\n")],
  ["no colon", get("X-A\r\n")],
  ["an empty name", get(": 1\r\n")],
  ["a name with a slash", get("X/A: 1\r\n")],
  ["a name with a bracket", get("X[A]: 1\r\n")],
  ["a name with NUL", get("X\x00A: 1\r\n")],
  ["a name with a byte above ASCII", get("X-\xe4: 1\r\n")],
  ["a pseudo field", get(":path: /x\r\n")],
  ["NUL in a value", get("X-A: a\x00b\r\n")],
  ["a control character in a value", get("X-A: a\x0bb\r\n")],
  ["ESC in a value", get("X-A: \x1b[31m\r\n")],
  ["DEL in a value", get("X-A: a\x7f\r\n")],
  ["a bare CR in a value", get("X-A: a\rb\r\n")],
  ["a bare CR before a field", get("X-A: a\r\rX-B: 1\r\n")],
  ["a bare LF in a value", get("X-A: a\nX-B: 1\r\n")],
  ["two equal lengths", get("Content-Length: 5\r\nContent-Length: 5\r\n")],
  ["two different lengths", get("Content-Length: 5\r\nContent-Length: 6\r\n")],
  ["a list of lengths", get("Content-Length: 5, 5\r\n")],
  ["a length of +5", get("Content-Length: +5\r\n")],
  ["a length of -1", get("Content-Length: -1\r\n")],
  ["a length of 0x5", get("Content-Length: 0x5\r\n")],
  ["a length of 5.0", get("Content-Length: 5.0\r\n")],
  ["a length of 1e3", get("Content-Length: 1e3\r\n")],
  ["a length with a space within", get("Content-Length: 1 0\r\n")],
  ["an empty length", get("Content-Length:\r\n")],
  ["a length of 20 digits", get("Content-Length: 18446744073709551621\r\n")],
  ["a length in other digits", get("Content-Length: \xb2\r\n")],
  ["length and chunks", get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")],
  ["chunks and length", get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")],
  ["chunks and a length of zero", get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")],
  ["gzip", get("Transfer-Encoding: gzip\r\n"), 501],
  ["gzip, chunked", get("Transfer-Encoding: gzip, chunked\r\n"), 501],
  ["chunked, identity", get("Transfer-Encoding: chunked, identity\r\n"), 501],
  ["identity", get("Transfer-Encoding: identity\r\n"), 501],
  ["xchunked", get("Transfer-Encoding: xchunked\r\n"), 501],
  ["chunked in quotes", get('Transfer-Encoding: "chunked"\r\n'), 501],
  ["chunked with a parameter", get("Transfer-Encoding: chunked;q=1\r\n"), 501],
  ["chunked with a comma", get("Transfer-Encoding: chunked,\r\n"), 501],
  ["an empty coding", get("Transfer-Encoding:\r\n"), 501],
  ["two codings", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")],
  ["chunked twice", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")],
  ["chunks with HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["connection that names host", get("Connection: host\r\n")],
  ["connection that names content-length", get("Connection: close, Content-Length\r\nContent-Length: 5\r\n")],
  ["connection that names authorization", get("Connection: authorization\r\n")],
  ["connection that names x-forwarded-for", get("Connection: X-Forwarded-For\r\n")],
  ["connection that names a pseudo field", get("Connection: :path\r\n")],
  ["101 fields", get("X-A: 1\r\n".repeat(100)), 431],
];

for (const [name, head, status] of refusals)
  test(`refused: ${name}`, () => {
    const parsed = parse(head);
    assert.equal(parsed.kind, "bad");
    if (parsed.kind === "bad") assert.equal(parsed.status, status ?? 400, parsed.why);
  });

test("100 fields are taken", () => {
  assert.equal(accepted(get("X-A: 1\r\n".repeat(99))).head.headers.count, 99);
});
