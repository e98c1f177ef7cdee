import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpFault } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { head, OK, Seen, testClient } from "./client.fixture.ts";
import { bytes, turn } from "./server.fixture.ts";

const badResponses: readonly (readonly [name: string, response: string])[] = [
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
  ["a status above 599", "HTTP/1.1 600 OK\r\n\r\n"],
  ["a control character in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n"],
  ["two spaces", "HTTP/1.1  200 OK\r\n\r\n"],
  ["bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
  ["a folded line", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n"],
  ["a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"],
  [
    "length and chunks",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["chunks with HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
  ["a body with 204", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello"],
  ["chunks with 204", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunks with 100", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["101 that was not asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"],
  ["informational responses without end", "HTTP/1.1 103 Hints\r\n\r\n".repeat(40)],
  ["an expectation", "HTTP/1.1 200 OK\r\nExpect: 100-continue\r\n\r\n"],
  ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}`],
];

for (const [name, response] of badResponses)
  test(`response refused: ${name}`, async () => {
    const { channel, client, told } = testClient();
    const seen = new Seen();
    client.send(head(), true, seen);
    await turn();
    channel.receive(response);
    await turn();
    assert.match(seen.failure?.kind ?? "none", /protocol|limit/);
    assert.equal(seen.head, undefined);
    assert.notEqual(channel.aborted, undefined);
    assert.equal(client.capacity, 0);
    assert.deepEqual(told, ["draining", "closed"]);
  });

const ends: readonly (readonly [
  name: string,
  before: string,
  end: "finish" | "reset",
  want: HttpFault["kind"],
])[] = [
  ["before the response", "", "finish", "reset"],
  ["by reset", "", "reset", "reset"],
  ["within the head", "HTTP/1.1 200", "finish", "reset"],
  ["within a body with a length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", "finish", "reset"],
  ["within chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "finish", "reset"],
  ["within a body without length, by reset", "HTTP/1.1 200 OK\r\n\r\nab", "reset", "reset"],
];

for (const [name, before, end, want] of ends)
  test(`the server goes away ${name}`, async () => {
    const { channel, client, told } = testClient();
    const seen = new Seen();
    client.send(head(), true, seen);
    await turn();
    channel.receive(before);
    channel[end]();
    await turn();
    assert.equal(seen.failure?.kind, want);
    assert.equal(seen.failure?.kind === "reset" && seen.failure.stale === true, false);
    assert.deepEqual(told, ["draining", "closed"]);
  });

test("a connection that served before and ends before a byte is told as stale", async () => {
  const { channel, client } = testClient();
  client.send(head(), true, new Seen());
  await turn();
  channel.receive(OK);
  const seen = new Seen();
  client.send(head(), true, seen);
  await turn();
  channel.finish();
  await turn();
  assert.deepEqual({ ...seen.failure, detail: "" }, { kind: "reset", stale: true, detail: "" });
});

test("a request of which nothing was sent is told as refused", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  client.send(head(), true, seen);
  channel.reset();
  await turn();
  assert.equal(seen.failure?.kind, "refused");
  const late = new Seen();
  client.send(head(), true, late);
  await turn();
  assert.equal(late.failure?.kind, "refused");
  assert.equal(channel.sent, "");
});

test("a server that ends an idle connection is followed", async () => {
  const { channel, client, told } = testClient();
  channel.finish();
  await turn();
  await turn();
  assert.equal(client.capacity, 0);
  assert.deepEqual(told, ["draining", "closed"]);
});

test("a body that does not keep its length is cut and told", async () => {
  for (const body of ["abcd", "ab"]) {
    const { channel, client } = testClient();
    const seen = new Seen();
    const headers = HeaderFields.of(["content-length", "3"]);
    const exchange = client.send(head({ method: "PUT", headers }), false, seen);
    exchange.write(bytes(body), true);
    exchange.end();
    await turn();
    assert.notEqual(channel.aborted, undefined);
    assert.equal(seen.failure?.kind, "protocol");
  }
});

test("a receiver that throws costs its connection only", async () => {
  const { channel, client, told, internalErrors } = testClient();
  const seen = new Seen();
  seen.onEnded = () => {
    throw new Error("boom");
  };
  client.send(head(), true, seen);
  await turn();
  channel.receive(OK);
  await turn();
  assert.equal(internalErrors.length, 1);
  assert.deepEqual(told, ["draining", "closed"]);
});
