import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { head, OK, Seen, testClient } from "./client.fixture.ts";
import { bytes, turn } from "./server.fixture.ts";

test("a response before the request ended: the rest may be sent, then the connection is free", async () => {
  const { channel, client, told } = testClient();
  const seen = new Seen();
  const exchange = client.send(head({ method: "PUT" }), false, seen);
  exchange.write(bytes("a"), true);
  await turn();
  channel.receive(OK);
  assert.deepEqual(seen.events, ["response", "end"]);
  assert.equal(client.capacity, 0);
  assert.equal(exchange.write(bytes("b"), true), true);
  exchange.end();
  await turn();
  assert.ok(channel.sent.endsWith("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
  assert.equal(client.capacity, 1);
  assert.deepEqual(told, ["capacity"]);
});

test("a response before the request ended: giving up the rest costs the connection", async () => {
  const { channel, client, told } = testClient();
  const seen = new Seen();
  const exchange = client.send(head({ method: "PUT" }), false, seen);
  await turn();
  channel.receive(OK);
  exchange.abort("cancelled");
  await turn();
  assert.notEqual(channel.aborted, undefined);
  assert.deepEqual(told, ["draining", "closed"]);
  assert.deepEqual(seen.events, ["response", "end"]);
});

test("a response before the request ended, and the server closes: no fault, the rest is dropped", async () => {
  for (const response of [OK, OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")]) {
    const { channel, client, told } = testClient();
    const seen = new Seen();
    const exchange = client.send(head({ method: "PUT" }), false, seen);
    await turn();
    channel.receive(response);
    channel.finish();
    await turn();
    exchange.write(bytes("rest"), true);
    exchange.end();
    await turn();
    assert.deepEqual(seen.events, ["response", "end"]);
    assert.deepEqual(told, ["draining", "closed"]);
  }
});

test("pause holds the response back, its end too", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  const exchange = client.send(head(), true, seen);
  await turn();
  exchange.pause();
  channel.receive(OK);
  channel.receive("x");
  assert.deepEqual(seen.events, []);
  assert.equal(channel.paused, true);
  assert.equal(channel.heldBytes, 1);
  exchange.resume();
  await turn();
  assert.equal(seen.body, "ok");
});

test("a paused body without length outlives the server's end", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  const exchange = client.send(head(), true, seen);
  await turn();
  channel.receive("HTTP/1.1 200 OK\r\n\r\na");
  exchange.pause();
  channel.receive("b");
  channel.finish();
  await turn();
  assert.deepEqual(seen.events, ["response"]);
  exchange.resume();
  await turn();
  assert.equal(seen.body, "ab");
  assert.deepEqual(seen.events, ["response", "end"]);
});

test("write says when to stop, and onWritable when to go on", async () => {
  const { channel, client } = testClient();
  channel.highWater = 1000;
  const seen = new Seen();
  const exchange = client.send(head({ method: "PUT" }), false, seen);
  assert.equal(exchange.write(bytes("x".repeat(60_000)), true), false);
  channel.drain();
  assert.deepEqual(seen.events, ["writable"]);
});

test("an accepted upgrade becomes bytes both ways, with half-close", async () => {
  const { channel, client, told } = testClient();
  const seen = new Seen();
  const exchange = client.send(head({ upgrade: "websocket" }), false, seen);
  await turn();
  channel.receive(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
  );
  assert.equal(seen.head?.status, 101);
  assert.equal(seen.body, "first");
  exchange.write(bytes("HTTP/1.1"), true);
  exchange.end();
  await turn();
  assert.ok(channel.sent.endsWith("\r\n\r\nHTTP/1.1"));
  assert.equal(channel.ended, true);
  channel.receive("last");
  channel.finish();
  await turn();
  await turn();
  assert.equal(seen.body, "firstlast");
  assert.deepEqual(seen.events, ["response", "end"]);
  assert.deepEqual(told, ["draining", "closed"]);
});

test("CONNECT: 2xx opens a tunnel, whatever it says of a length; the server may end first", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  const exchange = client.send(head({ method: "CONNECT", authority: "b:1", path: "" }), false, seen);
  await turn();
  channel.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef");
  assert.equal(seen.body, "abcdef");
  channel.finish();
  await turn();
  assert.deepEqual(seen.events, ["response", "end"]);
  exchange.write(bytes("rest"), true);
  exchange.end();
  await turn();
  assert.ok(channel.sent.endsWith("rest"));
  assert.equal(channel.aborted, undefined);
});

test("an upgrade that is refused leaves an ordinary connection", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  const exchange = client.send(head({ upgrade: "websocket" }), false, seen);
  await turn();
  channel.receive(OK.replace("200 OK", "403 Forbidden"));
  assert.deepEqual(seen.events, ["response", "end"]);
  exchange.end();
  assert.equal(client.capacity, 1);
});

test("bytes before an upgrade is accepted are refused", async () => {
  const { client, channel } = testClient();
  const seen = new Seen();
  client.send(head({ upgrade: "websocket" }), false, seen).write(bytes("GET /x HTTP/1.1\r\n\r\n"), true);
  await turn();
  assert.equal(seen.failure?.kind, "protocol");
  assert.notEqual(channel.aborted, undefined);
});

test("drain: an idle connection ends, a busy one after its exchange", async () => {
  const idle = testClient();
  idle.client.drain();
  await turn();
  assert.equal(idle.channel.ended, true);
  const busy = testClient();
  const seen = new Seen();
  busy.client.send(head(), true, seen);
  await turn();
  busy.client.drain();
  await turn();
  assert.deepEqual(busy.told, ["draining"]);
  busy.channel.receive(OK);
  await turn();
  assert.deepEqual(seen.events, ["response", "end"]);
  assert.equal(busy.channel.ended, true);
});

test("close breaks what runs; a server that does not follow an orderly end is cut", async () => {
  const clock = createFakeClock();
  const busy = testClient(clock);
  const seen = new Seen();
  busy.client.send(head(), true, seen);
  await turn();
  busy.client.close();
  await turn();
  assert.equal(seen.failure?.kind, "reset");
  const idle = testClient(clock);
  idle.client.close();
  await turn();
  assert.equal(idle.channel.aborted, undefined);
  clock.advance(1000);
  await turn();
  assert.notEqual(idle.channel.aborted, undefined);
  assert.deepEqual(idle.told, ["draining", "closed"]);
});
