import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { HeaderFields } from "../headers.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { type SeenExchange, testServer, turn } from "./server.fixture.ts";
import { HTTP1_SERVER_DEFAULTS } from "./server.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const ok = (
  ...fields: readonly (readonly [string, string])[]
): { status: number; headers: HeaderFields } => ({
  status: 200,
  headers: HeaderFields.of(...fields),
});
const answerAtOnce = (seen: SeenExchange): void => {
  seen.exchange.receive(seen);
  seen.answer(200);
};

test("a request without body, its answer, and the next one on the same connection", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.receive(GET);
  await turn();
  assert.equal(server.channel.sent, OK);
  server.channel.receive(GET);
  await turn();
  assert.equal(server.channel.sent, OK + OK);
  assert.equal(server.channel.ended, false);
});

test("pipelined requests are served in order, and answered with one write when answered at once", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.receive(GET.repeat(3));
  await turn();
  assert.equal(server.seen.length, 3);
  assert.equal(server.channel.sent, OK.repeat(3));
  assert.equal(server.channel.writes, 1);
});

test("the next pipelined request waits for the response before it, and the client is held back", async () => {
  const server = testServer();
  server.channel.receive(GET + GET.slice(0, 5));
  await turn();
  assert.equal(server.seen.length, 1);
  assert.equal(server.last().ended, true);
  assert.equal(server.channel.paused, true);
  server.channel.receive(GET.slice(5));
  server.last().answer(200);
  await turn();
  assert.equal(server.channel.paused, false);
  assert.equal(server.seen.length, 2);
});

test("a body with a length, whole or in pieces, ends where it ends", async () => {
  const server = testServer({}, (seen) => seen.exchange.receive(seen));
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab");
  server.channel.receive("cd");
  assert.equal(server.last().body, "abcd");
  assert.equal(server.last().ended, false);
  server.channel.receive(`ef${GET}`);
  await turn();
  assert.equal(server.last().body, "abcdef");
  assert.equal(server.last().ended, true);
  assert.equal(server.seen.length, 1);
});

test("chunks with an extension and trailers", () => {
  const server = testServer();
  server.channel.receive(
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;x="1"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
  );
  assert.equal(server.last().body, "abc0123456789");
  assert.deepEqual(server.last().trailers?.flat, ["x-sum", "1"]);
});

test("a response is chunked when its length is not said, with trailers", async () => {
  const server = testServer();
  server.channel.receive(GET);
  const { exchange } = server.last();
  exchange.respond(ok(["x-a", "1"]), false);
  exchange.write(bytes("hello"), true);
  exchange.write(new Uint8Array(0), false);
  exchange.end(HeaderFields.of(["x-sum", "9"], ["content-length", "1"]));
  await turn();
  assert.equal(
    server.channel.sent,
    "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n",
  );
  assert.equal(server.channel.writes, 1);
});

test("large pieces of a body go out unchanged, in order", async () => {
  const server = testServer();
  server.channel.receive(GET);
  const { exchange } = server.last();
  const large = "x".repeat(100_000);
  exchange.respond(ok(["content-length", String(2 * large.length + 1)]), false);
  exchange.write(bytes(large), false);
  exchange.write(bytes("y"), true);
  exchange.write(bytes(large), true);
  exchange.end();
  await turn();
  assert.ok(server.channel.sent.endsWith(`\r\n\r\n${large}y${large}`));
});

const noBody: readonly (readonly [
  name: string,
  method: string,
  status: number,
  fields: string,
  want: string,
])[] = [
  ["HEAD keeps the length", "HEAD", 200, "9", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"],
  ["304 keeps the length", "GET", 304, "9", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"],
  ["204 has none", "GET", 204, "0", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["HEAD says nothing of a length it does not know", "HEAD", 200, "", "HTTP/1.1 200 OK\r\n\r\n"],
  ["an empty response says so", "GET", 404, "", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"],
  ["a status of nobody", "GET", 599, "", "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"],
];

for (const [name, method, status, length, want] of noBody)
  test(`no body: ${name}`, async () => {
    const server = testServer();
    server.channel.receive(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    const headers = length === "" ? HeaderFields.of() : HeaderFields.of(["content-length", length]);
    server.last().exchange.respond({ status, headers }, true);
    await turn();
    assert.equal(server.channel.sent, want);
    assert.equal(server.channel.ended, false);
  });

test("a body to HEAD is dropped", async () => {
  const server = testServer();
  server.channel.receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { exchange } = server.last();
  exchange.respond(ok(["content-length", "3"]), false);
  exchange.write(bytes("abc"), true);
  exchange.end();
  await turn();
  assert.equal(server.channel.sent, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
});

test("HTTP/1.0: the connection ends the body; keep-alive is kept when asked for and possible", async () => {
  const server = testServer();
  server.channel.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  server.last().answer(200, "abc");
  await turn();
  assert.equal(
    server.channel.sent,
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\nabc",
  );
  server.channel.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const { exchange } = server.last();
  exchange.inform(103, HeaderFields.of(["link", "x"]));
  exchange.respond(ok(), false);
  exchange.write(bytes("abc"), true);
  exchange.end();
  await turn();
  assert.ok(server.channel.sent.endsWith("abcHTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc"));
  assert.equal(server.channel.ended, true);
});

test("connection: close is answered with the same and a finished connection", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.receive(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + GET);
  await turn();
  assert.equal(server.channel.sent, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  assert.equal(server.seen.length, 1);
  assert.equal(server.channel.ended, true);
  server.channel.finish();
  await turn();
  await turn();
  assert.equal(server.closed(), true);
});

test("100 Continue is sent when somebody wants the body, once", async () => {
  const server = testServer({}, () => {});
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  await turn();
  assert.equal(server.channel.sent, "");
  server.last().exchange.receive(server.last());
  server.last().exchange.inform(100, HeaderFields.of());
  await turn();
  assert.equal(server.channel.sent, "HTTP/1.1 100 Continue\r\n\r\n");
  server.channel.receive("x");
  assert.equal(server.last().body, "x");
});

test("a refusal instead of 100 Continue ends the connection", async () => {
  const server = testServer({}, (seen) => seen.answer(403));
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  await turn();
  assert.equal(
    server.channel.sent,
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
  );
  assert.equal(server.channel.ended, true);
});

test("informational responses pass; 100 only to who waits for it", async () => {
  const server = testServer();
  server.channel.receive(GET);
  server.last().exchange.inform(100, HeaderFields.of());
  server.last().exchange.inform(103, HeaderFields.of(["link", "</a>"]));
  server.last().answer(200);
  await turn();
  assert.equal(server.channel.sent, `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`);
});

test("an early answer drops a body that is there already, and the connection goes on", async () => {
  const server = testServer({}, (seen) => seen.answer(403));
  server.channel.receive(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${GET}`);
  await turn();
  assert.equal(server.seen.length, 2);
  assert.equal(server.channel.ended, false);
});

test("an early answer with the body still to come ends the connection, after reading on for a while", async () => {
  const clock = createFakeClock();
  const server = testServer({ clock }, (seen) => seen.answer(403));
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\nabc");
  await turn();
  assert.match(server.channel.sent, /connection: close/);
  assert.equal(server.channel.ended, true);
  // Not a request: it is the rest of the body.
  server.channel.receive(GET);
  await turn();
  assert.equal(server.seen.length, 1);
  assert.equal(server.channel.aborted, undefined);
  clock.advance(10_000);
  await turn();
  assert.equal(server.channel.aborted, "other-side-failed");
  assert.equal(server.closed(), true);
});

test("an answer whose body begins before the request is received loses nothing of the request", async () => {
  for (const fields of [
    "Content-Length: 3\r\n\r\nabc",
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  ]) {
    const server = testServer({}, (seen) => {
      seen.exchange.respond(ok(), false);
      seen.exchange.receive(seen);
    });
    server.channel.receive(`PUT / HTTP/1.1\r\nHost: a\r\n${fields}`);
    await turn();
    assert.equal(server.last().body, "abc");
    server.last().exchange.end();
    await turn();
    assert.equal(server.channel.ended, false);
  }
});

test("an answer with a body says close when the request's body is not here", async () => {
  for (const [body, ended] of [
    ["ab", true],
    ["abc", false],
  ] as const) {
    const server = testServer({}, (seen) => seen.answer(403, "no"));
    server.channel.receive(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n${body}`);
    await turn();
    assert.equal(/connection: close/.test(server.channel.sent), ended);
    assert.equal(server.channel.ended, ended);
  }
});

test("an answer in the middle of a body that is being read ends the connection after it", async () => {
  const server = testServer();
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  const seen = server.last();
  seen.exchange.respond(ok(["content-length", "2"]), false);
  server.channel.receive("def");
  assert.equal(seen.body, "abcdef");
  seen.exchange.write(bytes("ok"), true);
  seen.exchange.end();
  server.channel.receive("ghij");
  await turn();
  assert.equal(seen.body, "abcdef");
  assert.equal(seen.ended, false);
  assert.equal(server.channel.ended, true);
});

test("a paused receiver holds the client back with one read at most, and nothing is lost", async () => {
  const server = testServer();
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  const seen = server.last();
  seen.exchange.pause();
  server.channel.receive("def");
  server.channel.receive("ghi");
  assert.equal(seen.body, "abc");
  assert.equal(server.channel.paused, true);
  assert.equal(server.channel.heldBytes, 3);
  seen.exchange.resume();
  assert.equal(seen.body, "abc", "not from within the call");
  await turn();
  assert.equal(seen.body, "abcdefghi");
  assert.equal(seen.ended, true);
});

test("write says when to stop, and onWritable when to go on", async () => {
  const server = testServer();
  server.channel.highWater = 50_000;
  server.channel.receive(GET);
  const seen = server.last();
  seen.exchange.respond(ok(), false);
  assert.equal(seen.exchange.write(bytes("x".repeat(60_000)), true), false);
  server.channel.drain();
  assert.equal(seen.writable, 1);
  assert.equal(seen.exchange.write(bytes("x"), true), true);
});

test("a client that pipelines and reads nothing is served no further", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.highWater = 1000;
  const many = 20_000;
  for (let sent = 0; sent < many; sent += 100) server.channel.receive(GET.repeat(100));
  await turn();
  const served = server.seen.length;
  assert.ok(served < 2000, String(served));
  assert.equal(server.channel.paused, true);
  while (server.seen.length < many) {
    const before = server.seen.length;
    server.channel.drain();
    await turn();
    assert.ok(server.seen.length > before);
  }
  assert.equal(server.channel.sent, OK.repeat(many));
});

test("a client that goes away is told to the receiver, also to one that comes later", async () => {
  const early = testServer();
  early.channel.receive(GET);
  early.channel.finish();
  await turn();
  assert.equal(early.last().failure?.kind, "reset");
  assert.notEqual(early.channel.aborted, undefined);
  const late = testServer({}, () => {});
  late.channel.receive(GET);
  late.channel.reset();
  await turn();
  assert.equal(late.closed(), true);
  late.last().exchange.respond(ok(), true);
  late.last().exchange.receive(late.last());
  await turn();
  assert.deepEqual(late.last().events, ["fault"]);
});

test("a client that ends within a body breaks the exchange", async () => {
  const server = testServer();
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  server.channel.finish();
  await turn();
  assert.deepEqual(server.last().events, ["data", "fault"]);
});

test("a client that ends between requests, or within a head, is let go", async () => {
  for (const sent of ["", "GET / HT"]) {
    const server = testServer();
    server.channel.receive(sent);
    server.channel.finish();
    await turn();
    await turn();
    assert.equal(server.channel.sent, "");
    assert.equal(server.closed(), true);
  }
});

test("abort resets the client, and nothing further is told", async () => {
  const server = testServer();
  server.channel.receive(GET);
  const seen = server.last();
  seen.exchange.respond(ok(["content-length", "5"]), false);
  seen.exchange.abort("upstream-failed");
  seen.exchange.write(bytes("x"), true);
  seen.exchange.end();
  await turn();
  assert.notEqual(server.channel.aborted, undefined);
  assert.deepEqual(seen.events, ["end"]);
  assert.equal(server.closed(), true);
});

test("a malformed body is answered with 400, or cuts a response that was begun", async () => {
  const head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const server = testServer();
  server.channel.receive(`${head}zz\r\n`);
  await turn();
  assert.match(server.channel.sent, /^HTTP\/1.1 400 .*connection: close\r\n\r\n$/s);
  assert.equal(server.last().failure?.kind, "protocol");
  const begun = testServer();
  begun.channel.receive(head);
  begun.last().exchange.respond(ok(), false);
  begun.channel.receive("zz\r\n");
  await turn();
  assert.notEqual(begun.channel.aborted, undefined);
  assert.equal(begun.last().failure?.kind, "protocol");
});

const handlerFaults: readonly (readonly [name: string, head: { status: number; headers: HeaderFields }])[] = [
  ["a line break in a value", ok(["x-a", "1\r\nset-cookie: x=1"])],
  ["LF in a value", ok(["x-a", "1\nx"])],
  ["NUL in a value", ok(["x-a", "1\x00"])],
  ["a code unit that would become LF", ok(["x-a", "1\u010ax"])],
  ["a code unit that would become a letter", ok(["x-a", "\u0141dmin"])],
  ["a line break in a name", ok(["x-a: 1\r\nx-b", "1"])],
  ["a colon in a name", ok(["x-a:", "1"])],
  ["a space in a name", ok(["transfer-encoding ", "chunked"])],
  ["an upper-case name", ok(["Transfer-Encoding", "chunked"])],
  ["an empty name", ok(["", "1"])],
  ["two lengths", ok(["content-length", "0"], ["content-length", "0"])],
  ["a length that is none", ok(["content-length", "0x0"])],
  ["a length without body", ok(["content-length", "5"])],
  ["a status that is none", { status: 1000, headers: HeaderFields.of() }],
  ["101 that was not asked for", { status: 101, headers: HeaderFields.of() }],
];

for (const [name, head] of handlerFaults)
  test(`a handler's fault becomes 500: ${name}`, async () => {
    const server = testServer();
    server.channel.receive(GET + GET);
    server.last().exchange.respond(head, true);
    server.last().exchange.end();
    await turn();
    assert.equal(
      server.channel.sent,
      "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    assert.equal(server.last().failure?.kind, "protocol");
    assert.equal(server.internalErrors.length, 1);
    assert.equal(server.seen.length, 1);
  });

test("fields of the connection that a handler sets are not written", async () => {
  const server = testServer();
  server.channel.receive(GET);
  const fields = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "host",
    "te",
  ];
  server.last().exchange.respond(ok(...fields.map((name) => [name, "x"] as const)), true);
  await turn();
  assert.equal(server.channel.sent, OK);
});

test("a response that is longer or shorter than its length is cut", async () => {
  for (const body of ["abcd", "ab"]) {
    const server = testServer();
    server.channel.receive(GET);
    const { exchange } = server.last();
    exchange.respond(ok(["content-length", "3"]), false);
    exchange.write(bytes(body), true);
    exchange.end();
    await turn();
    assert.notEqual(server.channel.aborted, undefined);
    assert.equal(server.internalErrors.length, 1);
  }
});

test("a handler that throws costs its connection only", async () => {
  const server = testServer({}, () => {
    throw new Error("boom");
  });
  server.channel.receive(GET);
  await turn();
  assert.equal(server.internalErrors.length, 1);
  assert.notEqual(server.channel.aborted, undefined);
  assert.equal(server.closed(), true);
});

test("an accepted upgrade becomes bytes both ways, with half-close", async () => {
  const server = testServer();
  server.channel.receive(
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
  );
  const seen = server.last();
  assert.equal(seen.exchange.requestEnded, false);
  assert.equal(seen.body, "");
  seen.exchange.respond({ status: 101, headers: HeaderFields.of(["sec-websocket-accept", "x"]) }, false);
  await turn();
  assert.equal(
    server.channel.sent,
    "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  );
  assert.equal(seen.body, "early");
  server.channel.receive(GET);
  assert.equal(seen.body, `early${GET}`);
  server.channel.finish();
  await turn();
  assert.equal(seen.ended, true);
  seen.exchange.write(bytes("still"), true);
  seen.exchange.end();
  await turn();
  await turn();
  assert.ok(server.channel.sent.endsWith("\r\n\r\nstill"));
  assert.equal(server.channel.ended, true);
  assert.equal(server.channel.aborted, undefined);
  assert.equal(server.closed(), true);
  assert.deepEqual(seen.events, ["data", "data", "end"]);
});

test("a tunnel whose server side ends first stays open for the client's bytes", async () => {
  const server = testServer();
  server.channel.receive("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n");
  const seen = server.last();
  seen.exchange.respond(ok(["content-length", "7"]), false);
  seen.exchange.end();
  await turn();
  assert.equal(server.channel.sent, "HTTP/1.1 200 OK\r\n\r\n");
  assert.equal(server.channel.ended, true);
  server.channel.receive("more");
  assert.equal(seen.body, "more");
  server.channel.finish();
  await turn();
  await turn();
  assert.equal(seen.ended, true);
  assert.equal(server.closed(), true);
});

test("an upgrade that is not accepted is a request like any other", async () => {
  const server = testServer();
  const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  server.channel.receive(request);
  server.last().exchange.respond(ok(["content-length", "2"]), false);
  await turn();
  assert.equal(server.last().ended, true);
  server.last().exchange.write(bytes("no"), true);
  server.last().exchange.end();
  server.channel.receive(GET);
  await turn();
  assert.equal(server.channel.sent, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
  assert.equal(server.seen.length, 2);
});

test("what follows a refused CONNECT is never read as a request", async () => {
  const server = testServer();
  server.channel.receive(`CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n${GET}`);
  server.last().answer(403);
  await turn();
  assert.match(server.channel.sent, /connection: close/);
  assert.equal(server.seen.length, 1);
});

test("drain: an idle connection ends, a running exchange is the last", async () => {
  const idle = testServer();
  idle.connection.drain();
  await turn();
  assert.equal(idle.channel.ended, true);
  const busy = testServer();
  busy.channel.receive(GET + GET);
  busy.connection.drain();
  busy.last().answer(200);
  await turn();
  assert.equal(busy.channel.sent, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  assert.equal(busy.seen.length, 1);
  assert.equal(busy.channel.ended, true);
});

test("close breaks what runs and tells it", async () => {
  const server = testServer();
  server.channel.receive(GET);
  server.connection.close();
  await turn();
  assert.equal(server.last().failure?.kind, "reset");
  assert.equal(server.closed(), true);
});

test("a head that does not end in time is answered with 408, however slowly it comes", async () => {
  const clock = createFakeClock();
  const server = testServer({ clock, headTimeoutMs: 1000 });
  for (const byte of "GET / HTT") {
    server.channel.receive(byte);
    clock.advance(100);
  }
  assert.equal(server.channel.ended, false);
  clock.advance(100);
  await turn();
  assert.match(server.channel.sent, /^HTTP\/1.1 408 Request Timeout\r\n.*connection: close/s);
  assert.equal(server.refused[0]?.status, 408);
});

test("a connection without request ends silently, a new one sooner than one that served", async () => {
  const clock = createFakeClock();
  const server = testServer({ clock, headTimeoutMs: 1000, idleTimeoutMs: 60_000 }, answerAtOnce);
  server.channel.receive(GET);
  await turn();
  clock.advance(59_999);
  assert.equal(server.channel.ended, false);
  clock.advance(1);
  await turn();
  assert.equal(server.channel.ended, true);
  assert.equal(server.channel.sent, OK);
  const silent = testServer({ clock, headTimeoutMs: 1000 });
  clock.advance(1000);
  await turn();
  assert.equal(silent.channel.ended, true);
});

test("no deadline runs while an exchange does", async () => {
  const clock = createFakeClock();
  const server = testServer({ clock });
  server.channel.receive(GET);
  clock.advance(2 * HTTP1_SERVER_DEFAULTS.idleTimeoutMs);
  server.last().answer(200);
  await turn();
  assert.equal(server.channel.sent, OK);
});

test("a head that is too long is answered with 431 before it is whole", async () => {
  const server = testServer();
  server.channel.receive("GET / HTTP/1.1\r\nHost: a\r\n");
  for (let sent = 0; sent <= DEFAULT_HTTP1_LIMITS.maxHeadBytes; sent += 1000)
    server.channel.receive(`X-A: ${"y".repeat(993)}\r\n`);
  await turn();
  assert.match(server.channel.sent, /^HTTP\/1.1 431 /);
  assert.equal(server.refused.length, 1);
});

test("one empty line before a request is skipped, a second is refused", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.receive(`\r\n${GET}\r\n${GET}`);
  await turn();
  assert.equal(server.channel.sent, OK + OK);
  server.channel.receive("\r\n\r\n");
  await turn();
  assert.equal(server.refused[0]?.status, 400);
});
