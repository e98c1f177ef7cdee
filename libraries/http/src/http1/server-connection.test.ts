import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "../headers.ts";
import { answerAtOnce, bytes, GET, OK, ok, testServer, turn } from "./server.fixture.ts";

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

test("one empty line before a request is skipped, a second is refused", async () => {
  const server = testServer({}, answerAtOnce);
  server.channel.receive(`\r\n${GET}\r\n${GET}`);
  await turn();
  assert.equal(server.channel.sent, OK + OK);
  server.channel.receive("\r\n\r\n");
  await turn();
  assert.equal(server.refused[0]?.status, 400);
});
