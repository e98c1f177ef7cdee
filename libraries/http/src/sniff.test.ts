import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { createFakeClock } from "@meltemi/testkit";
import fc from "fast-check";
import { MemoryChannel } from "./http1/memory-channel.fixture.ts";
import { turn } from "./http1/server.fixture.ts";
import { sniff } from "./sniff.ts";
import { type SniffResult, sniffChannel } from "./sniff-channel.ts";
import { readClientHello } from "./sniff-tls.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const cases: readonly (readonly [name: string, bytes: string, want: string])[] = [
  ["nothing", "", "need"],
  ["the beginning of a method", "GE", "need"],
  ["a method and a space", "GET ", "need"],
  ["a target", "GET /a", "need"],
  ["the beginning of a version", "GET /a HTT", "need"],
  ["a version without its end", "GET /a HTTP/1.1", "need"],
  ["HTTP/1.1", "GET /a HTTP/1.1\r", "http1"],
  ["HTTP/1.0", "POST / HTTP/1.0\r\nX: y", "http1"],
  ["a method of nobody", "BREW /pot HTTP/1.1\r\n", "http1"],
  ["CONNECT", "CONNECT b:1 HTTP/1.1\r\n", "http1"],
  ["a very long target", `GET /${"a".repeat(9000)}`, "http1"],
  ["HTTP/0.9", "GET /a\r\n", "http1"],
  ["HTTP/1.2", "GET / HTTP/1.2\r\n", "http1"],
  ["HTTP/2 as a request", "GET / HTTP/2.0\r\n", "http1"],
  ["bare LF", "GET / HTTP/1.1\n", "http1"],
  ["Redis inline", "GET key\r\n", "other"],
  ["Redis", "*1\r\n$4\r\nPING\r\n", "other"],
  ["memcached", "get key\r\n", "other"],
  ["SMTP", "EHLO example.com\r\n", "other"],
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n", "other"],
  ["a fragment", "GET /#a HTTP/1.1\r\n", "http1"],
  ["a token without end", "a".repeat(33), "need"],
  ["a method of 40 letters", `${"A".repeat(40)} / HTTP/1.1\r\n`, "http1"],
  ["a token without end, for too long", "a".repeat(9000), "http1"],
  ["empty lines first", "\r\n\n\r\nGET / HTTP/1.1\r\n", "http1"],
  ["empty lines only", "\r\n", "need"],
  ["a tab for a space", "GET\t/\tHTTP/1.1\r\n", "http1"],
  ["a vertical tab for a space", "GET\v/\vHTTP/1.1\r\n", "http1"],
  ["a byte above ASCII in the target", "GET /\xff HTTP/1.1\r\n", "http1"],
  ["two spaces", "GET  / HTTP/1.1\r\n", "http1"],
  ["a version in lower case", "GET / http/1.1\r\n", "http1"],
  ["a strange target that is not at its end", "GET /\xff HTTP/1.1", "need"],
  ["HTTP/0.9 with a URL", "get http://a/b\r\n", "http1"],
  ["an empty line before SMTP", "\r\nEHLO example.com\r\n", "other"],
  ["NATS", 'CONNECT {"verbose":false}\r\n', "other"],
  ["STOMP", "CONNECT\naccept-version:1.2\n", "other"],
  ["RTSP", "OPTIONS rtsp://a/b RTSP/1.0\r\n", "other"],
  ["a space first", " GET / HTTP/1.1\r\n", "http1"],
  ["NUL", "\0", "other"],
  ["the beginning of the preface", PREFACE.slice(0, 23), "need"],
  ["the preface", `${PREFACE}\0\0\0\x04`, "http2"],
  ["almost the preface", PREFACE.replace("SM", "SN"), "http1"],
  ["the first byte of TLS", "\x16", "need"],
  ["an SSL 2 or other version", "\x16\x02", "other"],
  ["an empty record", "\x16\x03\x01\0\0", "other"],
  ["a ServerHello", "\x16\x03\x01\0\x04\x02\0\0\0", "other"],
  ["a hello that is too long", "\x16\x03\x01\0\x04\x01\xff\xff\xff", "other"],
  ["a hello with nothing in it", "\x16\x03\x01\0\x04\x01\0\0\0", "other"],
];

for (const [name, bytes, want] of cases)
  test(`sniff: ${name}`, () => assert.equal(sniff(Buffer.from(bytes, "latin1")).kind, want));

/** The real ClientHello of this Node's OpenSSL. */
async function clientHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  let hello = Buffer.alloc(0);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const accepted = once(server, "connection");
  const client = connect({ port: address.port, host: "127.0.0.1", ...options });
  client.on("error", () => {});
  const [socket] = (await accepted) as [Socket];
  while (sniff(hello).kind === "need") {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    hello = Buffer.concat([hello, chunk]);
  }
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

test("TLS: a real ClientHello, at every cut and cut into small records", async () => {
  const hello = await clientHello({ servername: "Reviews.Example.com", ALPNProtocols: ["h2", "http/1.1"] });
  const want = { kind: "tls", serverName: "reviews.example.com", alpn: ["h2", "http/1.1"] };
  assert.deepEqual(sniff(hello), want);
  for (let cut = 0; cut < hello.length; cut++) assert.equal(sniff(hello.subarray(0, cut)).kind, "need");
  const records: Buffer[] = [];
  for (let at = 5; at < hello.length; at += 100) {
    const part = hello.subarray(at, at + 100);
    records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
  }
  const small = Buffer.concat(records);
  assert.deepEqual(sniff(small), want);
  for (let cut = 0; cut < small.length; cut++) assert.equal(sniff(small.subarray(0, cut)).kind, "need");
  assert.deepEqual(sniff(Buffer.concat([hello, Buffer.from("whatever follows")])), want);
});

test("TLS: no SNI, no ALPN", async () => {
  assert.deepEqual(sniff(await clientHello({})), { kind: "tls", alpn: [] });
});

test("TLS: a changed byte never throws, and never makes it read beyond the end", async () => {
  const hello = await clientHello({ servername: "a.b", ALPNProtocols: ["h2"] });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const changed = Buffer.from(hello);
      for (const [at, byte] of changes) changed[at] = byte;
      const read = readClientHello(changed);
      if (read.kind === "ok") assert.match(read.hello.serverName ?? "a", /^[0-9a-z._-]+$/);
    }),
    { numRuns: 2000 },
  );
});

test("sniff never throws and never needs more than its bound", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.ok(sniff(bytes).kind.length > 0);
    }),
  );
  for (const start of ["", "GET /", "\x16\x03\x01\x40\0\x01\0\x40\0"])
    assert.notEqual(sniff(Buffer.from(start + "a".repeat(40_000), "latin1")).kind, "need");
});

interface Sniffing {
  readonly beneath: MemoryChannel;
  readonly results: SniffResult[];
  readonly events: string[];
  gone: number;
}

function sniffing(timeoutMs: number, clock = createFakeClock()): Sniffing {
  const beneath = new MemoryChannel();
  const events: string[] = [];
  const all: Sniffing = { beneath, results: [], events, gone: 0 };
  const owner = {
    onSniffed(result: SniffResult, channel: import("@meltemi/l4").ByteChannel): void {
      all.results.push(result);
      channel.open({
        onData: (chunk) => void events.push(Buffer.from(chunk).toString("latin1")),
        onEnd: () => void events.push("end"),
        onDrain: () => void events.push("drain"),
        onClosed: () => void events.push("closed"),
        onFault: () => void events.push("fault"),
      });
    },
    onGone: () => void all.gone++,
  };
  sniffChannel(beneath, owner, { timeoutMs }, { clock });
  return all;
}

test("sniffChannel gives every byte on, in order, and the end", async () => {
  const { beneath, results, events } = sniffing(0);
  for (const byte of "GET / HTTP/1.1\r") beneath.receive(byte);
  assert.deepEqual(results, [{ kind: "http1" }]);
  beneath.receive("\nHost");
  await turn();
  beneath.receive(": a");
  beneath.finish();
  assert.deepEqual(events, ["GET / HTTP/1.1\r", "\nHost", ": a", "end"]);
});

test("sniffChannel: a client that says nothing in time, and one that says too little before it ends", async () => {
  const clock = createFakeClock();
  const silent = sniffing(100, clock);
  clock.advance(100);
  assert.deepEqual(silent.results, [{ kind: "timeout" }]);
  silent.beneath.receive("late");
  await turn();
  assert.deepEqual(silent.events, ["late"]);
  const short = sniffing(0);
  short.beneath.receive("GE");
  short.beneath.finish();
  await turn();
  assert.deepEqual(short.results, [{ kind: "other" }]);
  assert.deepEqual(short.events, ["GE", "end"]);
  const unended = sniffing(0);
  unended.beneath.receive("GET /admin HTTP/1.0");
  unended.beneath.finish();
  assert.deepEqual(unended.results, [{ kind: "http1" }]);
  const broken = sniffing(100, clock);
  broken.beneath.reset();
  clock.advance(1000);
  assert.equal(broken.gone, 1);
  assert.deepEqual(broken.results, []);
});
