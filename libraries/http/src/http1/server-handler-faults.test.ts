import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "../headers.ts";
import { bytes, GET, OK, ok, testServer, turn } from "./server.fixture.ts";

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
