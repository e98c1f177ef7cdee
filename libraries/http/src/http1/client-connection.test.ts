import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import type {
  ClientConnection,
  HttpFault,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { createHttp1Client, HTTP1_CLIENT_DEFAULTS } from "./client.ts";
import { MemoryChannel } from "./memory-channel.fixture.ts";
import { turn } from "./server.fixture.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

function head(changes: Partial<RequestHead> = {}): RequestHead {
  return {
    version: "HTTP/1.1",
    method: "GET",
    scheme: "http",
    authority: "a",
    path: "/",
    headers: new HeaderFields(),
    expectsContinue: false,
    ...changes,
  };
}

class Seen implements ResponseReceiver {
  readonly events: string[] = [];
  head: ResponseHead | undefined;
  body = "";
  trailers: HeaderFields | undefined;
  failure: HttpFault | undefined;
  onEnded: () => void = () => {};

  onInformational(status: number): void {
    this.events.push(String(status));
  }

  onResponse(response: ResponseHead, ended: boolean): void {
    this.head = response;
    this.events.push(ended ? "response, ended" : "response");
    if (ended) this.onEnded();
  }

  onData(chunk: Uint8Array): void {
    this.body += Buffer.from(chunk).toString("latin1");
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.trailers = trailers;
    this.events.push("end");
    this.onEnded();
  }

  onWritable(): void {
    this.events.push("writable");
  }

  onFault(fault: HttpFault): void {
    this.failure = fault;
    this.events.push("fault");
  }
}

interface TestClient {
  readonly channel: MemoryChannel;
  readonly client: ClientConnection;
  /** What the owner was told. */
  readonly told: string[];
  readonly internalErrors: unknown[];
}

function testClient(clock: Clock = createFakeClock()): TestClient {
  const channel = new MemoryChannel();
  const told: string[] = [];
  const internalErrors: unknown[] = [];
  const owner = {
    onCapacity: () => void told.push("capacity"),
    onDraining: () => void told.push("draining"),
    onClosed: () => void told.push("closed"),
  };
  const deps = { clock, onInternalError: (error: unknown) => void internalErrors.push(error) };
  const client = createHttp1Client(channel, owner, HTTP1_CLIENT_DEFAULTS, deps);
  return { channel, client, told, internalErrors };
}

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
