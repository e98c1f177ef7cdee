import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "../headers.ts";
import { head, OK, Seen, testClient } from "./client.fixture.ts";
import { turn } from "./server.fixture.ts";

test("a request, its response, and another on the same connection", async () => {
  const { channel, client, told } = testClient();
  assert.equal(client.capacity, 1);
  for (let round = 1; round <= 2; round++) {
    const seen = new Seen();
    client.send(
      head({ path: "/x?y", headers: HeaderFields.of(["x-a", "1"], ["te", "trailers"]) }),
      true,
      seen,
    );
    assert.equal(client.capacity, 0);
    assert.equal(client.active, 1);
    await turn();
    assert.equal(
      channel.sent,
      "GET /x?y HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nte: trailers\r\nconnection: te\r\n\r\n".repeat(round),
    );
    channel.receive(OK);
    assert.deepEqual(seen.events, ["response", "end"]);
    assert.equal(seen.body, "ok");
    assert.deepEqual(seen.head?.headers.flat, ["content-length", "2"]);
    assert.equal(client.capacity, 1);
  }
  assert.deepEqual(told, ["capacity", "capacity"]);
});

const responses: readonly (readonly [
  name: string,
  method: string,
  response: string,
  want: { readonly status: number; readonly body: string; readonly flat?: readonly string[] },
])[] = [
  [
    "chunks",
    "GET",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    { status: 200, body: "abc", flat: [] },
  ],
  ["no reason", "GET", "HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", { status: 404, body: "x" }],
  [
    "a reason above ASCII",
    "GET",
    "HTTP/1.1 404 n\xf6\r\nContent-Length: 1\r\n\r\nx",
    { status: 404, body: "x" },
  ],
  [
    "HEAD",
    "HEAD",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    { status: 200, body: "", flat: ["content-length", "5"] },
  ],
  [
    "HEAD with chunks",
    "HEAD",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    { status: 200, body: "" },
  ],
  ["204", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", { status: 204, body: "", flat: [] }],
  ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", { status: 304, body: "" }],
  [
    "hop-by-hop fields",
    "GET",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX: 1\r\n\r\n",
    { status: 200, body: "", flat: ["content-length", "0", "x", "1"] },
  ],
];

for (const [name, method, response, want] of responses)
  test(`response: ${name}`, async () => {
    const { channel, client } = testClient();
    const seen = new Seen();
    client.send(head({ method }), true, seen);
    await turn();
    channel.receive(response);
    assert.equal(seen.head?.status, want.status);
    assert.equal(seen.body, want.body);
    if (want.flat !== undefined) assert.deepEqual(seen.head?.headers.flat, want.flat);
    assert.match(seen.events.join(), /ended|end$/);
    assert.equal(client.capacity, 1);
  });

test("informational responses come before the response", async () => {
  const { channel, client } = testClient();
  const seen = new Seen();
  client.send(head({ method: "PUT", expectsContinue: true }), false, seen).end();
  await turn();
  channel.receive(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`);
  assert.deepEqual(seen.events, ["100", "103", "response", "end"]);
});

test("the end of the connection ends a body without length, and such a connection is not used again", async () => {
  const { channel, client, told } = testClient();
  const seen = new Seen();
  client.send(head(), true, seen);
  await turn();
  channel.receive("HTTP/1.0 200 OK\r\n\r\nsome");
  channel.receive("thing");
  assert.deepEqual(seen.events, ["response"]);
  channel.finish();
  await turn();
  await turn();
  assert.equal(seen.body, "something");
  assert.deepEqual(seen.events, ["response", "end"]);
  assert.deepEqual(told, ["draining", "closed"]);
});

test("connection: close and HTTP/1.0 end the connection after the response", async () => {
  for (const response of [
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
  ]) {
    const { channel, client, told } = testClient();
    const seen = new Seen();
    client.send(head(), true, seen);
    await turn();
    channel.receive(response);
    assert.equal(client.capacity, 0);
    await turn();
    assert.equal(channel.ended, true);
    channel.finish();
    await turn();
    assert.deepEqual(told, ["draining", "closed"]);
    assert.deepEqual(seen.events, ["response, ended"]);
  }
});

test("bytes that nobody asked for end the connection, so that they answer no later request", async () => {
  const idle = testClient();
  idle.channel.receive(OK);
  await turn();
  assert.equal(idle.client.capacity, 0);
  assert.notEqual(idle.channel.aborted, undefined);
  const after = testClient();
  const seen = new Seen();
  let capacityWithin = -1;
  seen.onEnded = () => {
    capacityWithin = after.client.capacity;
  };
  after.client.send(head(), true, seen);
  await turn();
  after.channel.receive(OK + OK);
  await turn();
  assert.equal(capacityWithin, 0);
  assert.deepEqual(seen.events, ["response", "end"]);
  assert.deepEqual(after.told, ["draining"]);
});

test("the next request may be sent from within the end of the last", async () => {
  const { channel, client, told } = testClient();
  const second = new Seen();
  const first = new Seen();
  first.onEnded = () => void client.send(head({ path: "/2" }), true, second);
  client.send(head({ path: "/1" }), true, first);
  await turn();
  channel.receive(OK);
  await turn();
  channel.receive(OK);
  assert.deepEqual(second.events, ["response", "end"]);
  assert.deepEqual(told, ["capacity"]);
});
