import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { head, Seen, testClient } from "./client.fixture.ts";
import { bytes, turn } from "./server.fixture.ts";

const requests: readonly (readonly [name: string, head: RequestHead, ended: boolean, want: string])[] = [
  [
    "POST without body says so",
    head({ method: "POST" }),
    true,
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
  ],
  ["DELETE without body does not", head({ method: "DELETE" }), true, "DELETE / HTTP/1.1\r\nhost: a\r\n\r\n"],
  [
    "a body of unknown length",
    head({ method: "PUT" }),
    false,
    "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
  ],
  [
    "a body of known length",
    head({ method: "PUT", headers: HeaderFields.of(["content-length", "4"]), expectsContinue: true }),
    false,
    "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n",
  ],
  [
    "what an HTTP/2 client expects is asked for once",
    head({ method: "PUT", headers: HeaderFields.of(["expect", "100-Continue"]), expectsContinue: true }),
    false,
    "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
  ],
  ["OPTIONS *", head({ method: "OPTIONS", path: "*" }), true, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"],
  [
    "CONNECT",
    head({ method: "CONNECT", authority: "b:1", path: "" }),
    false,
    "CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n",
  ],
  [
    "an upgrade",
    head({ upgrade: "websocket" }),
    false,
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  ],
  ["no authority, from HTTP/1.0", head({ authority: "" }), true, "GET / HTTP/1.1\r\nhost: \r\n\r\n"],
  [
    "fields of the connection are not written",
    head({ headers: HeaderFields.of(["connection", "x"], ["transfer-encoding", "chunked"], ["host", "b"]) }),
    true,
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
  ],
];

for (const [name, request, ended, want] of requests)
  test(`request: ${name}`, async () => {
    const { channel, client } = testClient();
    client.send(request, ended, new Seen());
    await turn();
    assert.equal(channel.sent, want);
  });

const unwritable: readonly (readonly [name: string, head: RequestHead])[] = [
  ["a line break in a value", head({ headers: HeaderFields.of(["x-a", "1\r\n\r\nGET /admin HTTP/1.1"]) })],
  ["NUL in a value", head({ headers: HeaderFields.of(["x-a", "\0"]) })],
  ["what is not Latin-1", head({ headers: HeaderFields.of(["x-a", "\u010d\u010a"]) })],
  ["an upper-case name", head({ headers: HeaderFields.of(["Content-Length", "5"]) })],
  ["a name with a line break", head({ headers: HeaderFields.of(["x\r\ny", "5"]) })],
  ["a space in the path", head({ path: "/ HTTP/1.1\r\nx: y" })],
  ["a space alone in the path", head({ path: "/a b" })],
  ["a fragment", head({ path: "/a#b" })],
  ["a byte above ASCII in the path", head({ path: "/\xe4" })],
  ["a relative path", head({ path: "a" })],
  ["an empty path", head({ path: "" })],
  ["a method that is none", head({ method: "GET /x" })],
  ["an empty method", head({ method: "" })],
  ["an authority with a line break", head({ authority: "a\r\nx: y" })],
  ["an authority with a path", head({ authority: "a/b" })],
  ["CONNECT without port", head({ method: "CONNECT", authority: "b", path: "" })],
  ["an upgrade that is no protocol", head({ upgrade: "a\r\nb" })],
  ["a length without body", head({ headers: HeaderFields.of(["content-length", "5"]) })],
];

for (const [name, request] of unwritable)
  test(`never written: ${name}`, async () => {
    const { channel, client } = testClient();
    const seen = new Seen();
    client.send(request, true, seen);
    assert.deepEqual(seen.events, [], "no callback within the call");
    await turn();
    assert.equal(channel.sent, "");
    assert.equal(seen.failure?.kind, "protocol");
    assert.equal(client.capacity, 1);
  });

test("a body in chunks with trailers leaves with its head in one write", async () => {
  const { channel, client } = testClient();
  const exchange = client.send(head({ method: "PUT" }), false, new Seen());
  exchange.write(bytes("hello"), true);
  exchange.end(HeaderFields.of(["x-sum", "1"]));
  await turn();
  assert.equal(channel.writes, 1);
  assert.ok(channel.sent.endsWith("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"));
});
