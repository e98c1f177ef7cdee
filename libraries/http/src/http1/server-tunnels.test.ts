import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "../headers.ts";
import { bytes, GET, ok, testServer, turn } from "./server.fixture.ts";

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
