import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { answerAtOnce, bytes, GET, OK, ok, testServer, turn } from "./server.fixture.ts";
import { HTTP1_SERVER_DEFAULTS } from "./server.ts";

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

test("drain with a grace: the next answer says that it is the last; who asks nothing is closed after it", async () => {
  const clock = createFakeClock();
  const asking = testServer({ clock });
  // Its head goes out before the drain, and promises that the connection stays.
  asking.channel.receive(GET);
  asking.last().exchange.respond(ok(), false);
  asking.connection.drain(5000);
  asking.last().exchange.end();
  await turn();
  assert.equal(asking.channel.ended, false);
  assert.doesNotMatch(asking.channel.sent, /connection: close/);
  clock.advance(4999);
  asking.channel.receive(GET + GET);
  asking.last().answer(200);
  await turn();
  assert.match(asking.channel.sent, /connection: close\r\n\r\n$/);
  assert.equal(asking.seen.length, 2);
  assert.equal(asking.channel.ended, true);

  const silent = testServer({ clock });
  silent.connection.drain(5000);
  clock.advance(4999);
  assert.equal(silent.channel.ended, false);
  clock.advance(1);
  await turn();
  assert.equal(silent.channel.ended, true);
  assert.equal(silent.channel.sent, "");
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
