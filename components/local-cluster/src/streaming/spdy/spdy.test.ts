import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { createDeflate } from "node:zlib";
import fc from "fast-check";
import { createTestClient, headerBlock, synStream } from "./client.testing.ts";
import { type SpdyStream, serveSpdy } from "./connection.ts";
import { SPDY_DICTIONARY } from "./dictionary.ts";
import { createFrameDecoder, dataHead, pingFrame, resetFrame, type SpdyFrame } from "./frames.ts";
import { parseHeaderBlock } from "./header-block.ts";
import { createHeaderCompression } from "./header-compression.ts";

test("the dictionary is the specification's: its Adler-32 is the one that zlib streams of SPDY/3 name", () => {
  let [a, b] = [1, 0];
  for (const byte of SPDY_DICTIONARY) [a, b] = [(a + byte) % 65_521, (a + byte + b) % 65_521];
  assert.equal(((b << 16) | a) >>> 0, 0xe3c6a7c2);
});

function decodeAll(bytes: Buffer, cuts: readonly number[]): { frames: SpdyFrame[]; bad: string } {
  const decoder = createFrameDecoder();
  const frames: SpdyFrame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  for (const piece of pieces(bytes, cuts)) {
    rest = Buffer.concat([rest, piece]);
    for (;;) {
      const taken = decoder.take(rest);
      if (taken.kind === "bad") return { frames, bad: taken.why };
      if (taken.kind === "need") break;
      assert.ok(taken.used > 0 && taken.used <= rest.length);
      frames.push(taken.frame);
      rest = rest.subarray(taken.used);
    }
  }
  return { frames, bad: "" };
}

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return points.slice(1).map((end, at) => bytes.subarray(points[at], end));
}

const whole = Buffer.concat([
  synStream(1, Buffer.from("block")),
  dataHead(1, 5, true),
  Buffer.from("hello"),
  dataHead(3, 0, true),
  pingFrame(7),
  resetFrame(3, 5),
]);

test("frames are the same however their bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
      const { frames, bad } = decodeAll(whole, cuts);
      const data = frames.filter((frame) => frame.kind === "data");
      assert.equal(bad, "");
      assert.equal(Buffer.concat(data.map((frame) => frame.bytes)).toString(), "hello");
      assert.deepEqual(
        data.filter((frame) => frame.isLast).map((frame) => frame.streamId),
        [1, 3],
      );
      assert.deepEqual(
        frames.filter((frame) => frame.kind !== "data").map((frame) => frame.kind),
        ["syn-stream", "ping", "reset"],
      );
    }),
  );
});

test("any bytes are frames, a beginning of one, or bad", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(), { maxLength: 4 }), (bytes, cuts) => {
      decodeAll(Buffer.from(bytes), cuts);
      parseHeaderBlock(Buffer.from(bytes));
    }),
    { numRuns: 500 },
  );
});

const refused = [
  { name: "another version", bytes: [0x80, 2, 0, 1, 0, 0, 0, 10], says: /version 3, got 2/ },
  { name: "headers beyond the bound", bytes: [0x80, 3, 0, 1, 0, 1, 0, 0], says: /at most 16384 bytes/ },
  { name: "a reset without a status", bytes: [0x80, 3, 0, 3, 0, 0, 0, 4], says: /at least 8 bytes/ },
];
for (const { name, bytes, says } of refused)
  test(`refused at its head: ${name}`, () => assert.match(decodeAll(Buffer.from(bytes), []).bad, says));

test("blocks of one connection share what they have seen", async () => {
  const [mine, theirs] = [createHeaderCompression(), createHeaderCompression()];
  const block = headerBlock({ port: "8080", requestid: "0", streamtype: "data" });
  const first = await mine.compress(block);
  const second = await mine.compress(block);
  assert.ok(second.length < first.length);
  assert.deepEqual(await theirs.decompress(first), block);
  assert.deepEqual(await theirs.decompress(second), block);
  mine.close();
  theirs.close();
});

test("a block that swells is cut off, and so is what is no zlib", async () => {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  deflate.end(Buffer.alloc(10 * 1024 * 1024));
  const compressed: Buffer[] = [];
  for await (const piece of deflate as AsyncIterable<Buffer>) compressed.push(piece);
  const swelling = Buffer.concat(compressed);
  await assert.rejects(createHeaderCompression().decompress(swelling), /at most 65536 bytes/);
  await assert.rejects(createHeaderCompression().decompress(Buffer.from("no zlib")), {
    code: "PROTOCOL_VIOLATION",
  });
});

function serve(accept: (stream: SpdyStream) => string | undefined) {
  const [near, far] = duplexPair();
  return { client: createTestClient(near), near, served: serveSpdy(far, accept) };
}

const replyTo = (streamId: number) => (frame: SpdyFrame) =>
  frame.kind === "headers" && frame.streamId === streamId;
const endOf = (streamId: number) => (frame: SpdyFrame) =>
  frame.kind === "data" && frame.isLast && frame.streamId === streamId;
const resetOf = (streamId: number) => (frame: SpdyFrame) =>
  frame.kind === "reset" && frame.streamId === streamId;

test("streams are independent, each direction ends alone, and a ping is answered", async () => {
  const { client, near, served } = serve((stream) => {
    stream.on("data", (chunk: Buffer) => stream.write(chunk.toString().toUpperCase()));
    stream.on("end", () => stream.end("!"));
    return undefined;
  });
  await client.open(1, { a: "b" });
  await client.open(3, { a: "b" });
  client.data(3, "later");
  client.data(1, "hello", true);
  await client.until(endOf(1));
  assert.equal(client.text(1), "HELLO!");
  client.data(3, "", true);
  await client.until(endOf(3));
  assert.equal(client.text(3), "LATER!");
  client.raw(pingFrame(9));
  await client.until((frame) => frame.kind === "ping" && frame.id === 9);
  near.end();
  await served;
});

test("a stream that is not wanted is reset, and its number stays taken", async () => {
  const { client, served } = serve((stream) => stream.headers.get("wanted") ?? "no such stream");
  await client.open(1, { port: "1" });
  await client.until(resetOf(1));
  await client.open(1, { port: "1" });
  await assert.rejects(served, /expected an odd stream above 1, got 1/);
});

test("resets go both ways: one that came ends the stream, one of ours follows the reply", async () => {
  const closed = Promise.withResolvers<void>();
  const { client, near, served } = serve((stream) => {
    if (stream.streamId === 1) stream.on("close", closed.resolve);
    else stream.destroy();
    return undefined;
  });
  await client.open(1, {});
  await client.until(replyTo(1));
  client.reset(1);
  await closed.promise;
  await client.open(3, {});
  await client.until(replyTo(3));
  await client.until(resetOf(3));
  near.destroy();
  await served.catch(() => undefined);
});

test("a stream that nobody reads holds back its connection, and nothing gets lost", async () => {
  const streams: SpdyStream[] = [];
  const { client, near, served } = serve((stream) => void streams.push(stream));
  await client.open(1, {});
  await client.until(replyTo(1));
  for (let at = 0; at < 64; at++) client.data(1, "x".repeat(32 * 1024));
  client.data(1, "", true);
  let bytes = 0;
  for await (const chunk of streams[0] as AsyncIterable<Buffer>) {
    assert.ok((streams[0]?.readableLength ?? 0) < 512 * 1024);
    bytes += chunk.length;
  }
  assert.equal(bytes, 2 * 1024 * 1024);
  near.end();
  await served;
});

test("the connection's end is every stream's", async () => {
  const failure = Promise.withResolvers<Error>();
  const { client, near, served } = serve((stream) => void stream.on("error", failure.resolve));
  await client.open(1, {});
  await client.until(replyTo(1));
  near.end();
  await served;
  assert.match((await failure.promise).message, /connection is closed/);
});
