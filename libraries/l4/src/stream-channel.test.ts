import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import type { ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";
import { ChannelDuplex } from "./channel-duplex.ts";
import { streamChannel } from "./stream-channel.ts";

class Sink implements ByteConsumer {
  readonly log: string[] = [];
  readonly chunks: Uint8Array[] = [];
  fault: ChannelFault | undefined;
  drains = 0;
  onData(chunk: Uint8Array, lent: boolean): void {
    this.chunks.push(lent ? Buffer.from(chunk) : chunk);
  }
  onEnd(): void {
    this.log.push("end");
  }
  onDrain(): void {
    this.drains++;
  }
  onClosed(): void {
    this.log.push("closed");
  }
  onFault(fault: ChannelFault): void {
    this.fault = fault;
    this.log.push("fault");
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

test("nothing is delivered before open; then bytes, end, and closed after both ends", async () => {
  const [near, far] = duplexPair();
  const channel = streamChannel(near);
  far.end("hello");
  far.resume();
  const sink = new Sink();
  await new Promise((resolve) => setImmediate(resolve));
  channel.open(sink);
  assert.equal(sink.text, "");
  await eventually(() => sink.log.length === 1);
  assert.deepEqual([sink.text, sink.log], ["hello", ["end"]]);
  channel.endWrite();
  await eventually(() => sink.log.length === 2);
  assert.deepEqual(sink.log, ["end", "closed"]);
});

test("lent bytes may be overwritten after write", async () => {
  const [near, far] = duplexPair();
  const channel = streamChannel(near);
  channel.open(new Sink());
  const buffer = Buffer.from("before");
  channel.write(buffer, true);
  buffer.fill("x");
  assert.equal(String(await new Promise((resolve) => far.once("data", resolve))), "before");
});

test("a full stream asks to stop, and tells when to go on; pause holds the peer", async () => {
  const [near, far] = duplexPair();
  const channel = streamChannel(near);
  const sink = new Sink();
  channel.open(sink);
  channel.pause();
  while (channel.write(Buffer.alloc(16 * 1024), false));
  assert.ok(channel.bufferedBytes > 0);
  far.resume();
  await eventually(() => sink.drains > 0);
  far.write("held back");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.text, "");
  channel.resume();
  await eventually(() => sink.text === "held back");
});

for (const [name, breakIt, want] of [
  ["an error", (near: Duplex) => near.destroy(new Error("alert 42")), { kind: "broken", detail: "alert 42" }],
  ["an end in the middle", (near: Duplex) => near.destroy(), { kind: "reset" }],
] as const)
  test(`${name} of the stream is a fault, also when it came before open`, async () => {
    for (const isLate of [false, true]) {
      const [near] = duplexPair();
      const sink = new Sink();
      const channel = streamChannel(near);
      if (!isLate) channel.open(sink);
      breakIt(near);
      await new Promise((resolve) => setImmediate(resolve));
      if (isLate) channel.open(sink);
      await eventually(() => sink.log.length > 0);
      assert.deepEqual([sink.log, sink.fault], [["fault"], want]);
    }
  });

test("after abort nobody is called", async () => {
  const [near] = duplexPair();
  const channel = streamChannel(near);
  const sink = new Sink();
  channel.open(sink);
  channel.abort("policy");
  await eventually(() => near.closed);
  assert.deepEqual(sink.log, []);
});

test("a consumer that throws costs its own stream, and is told of", async () => {
  const [near, far] = duplexPair();
  const errors: unknown[] = [];
  const sink = new Sink();
  sink.onData = () => {
    throw new Error("broken consumer");
  };
  streamChannel(near, (error) => void errors.push(error)).open(sink);
  far.write("bytes");
  await eventually(() => sink.fault);
  assert.deepEqual(errors, [new Error("broken consumer")]);
  assert.deepEqual(sink.fault, { kind: "broken", detail: "internal error: broken consumer" });
});

test("a channel as a stream as a channel carries bytes and both ends", async () => {
  const [near, far] = duplexPair();
  const inner: ByteChannel = streamChannel(new ChannelDuplex(streamChannel(near)));
  const sink = new Sink();
  inner.open(sink);
  const long = "0123456789".repeat(50_000);
  far.end(long);
  inner.write(Buffer.from("answer"), false);
  inner.endWrite();
  let answer = "";
  for await (const chunk of far) answer += chunk;
  await eventually(() => sink.log.includes("closed"));
  assert.equal(answer, "answer");
  assert.equal(sink.text, long);
  assert.deepEqual(sink.log, ["end", "closed"]);
});
