import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { bytes, GET, ok, testServer, turn } from "./server.fixture.ts";

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

test("an answer says close when the receiver of the request's body does not take it", async () => {
  const server = testServer({}, (seen) => {
    seen.exchange.pause();
    seen.exchange.receive(seen);
  });
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\nabc");
  server.last().answer(503, "no connection");
  await turn();
  assert.match(server.channel.sent, /connection: close/);
  assert.deepEqual(server.last().events, []);
});

test("a client that ends within a body of known length is not waited for, though its receiver is paused", async () => {
  const server = testServer({}, (seen) => {
    seen.exchange.receive(seen);
    seen.exchange.pause();
  });
  server.channel.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
  server.channel.finish();
  await turn();
  assert.deepEqual(server.last().events, ["fault"]);
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
