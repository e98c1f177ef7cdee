import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import type { ByteConsumer, ChannelFault } from "./byte-channel.ts";
import { tcpChannel } from "./tcp-channel.ts";

class Sink implements ByteConsumer {
  text = "";
  drained = false;
  log: string[] = [];
  fault: ChannelFault | undefined;
  onData(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString("latin1");
  }
  onEnd(): void {
    this.log.push("end");
  }
  onDrain(): void {
    this.drained = true;
  }
  onClosed(): void {
    this.log.push("closed");
  }
  onFault(fault: ChannelFault): void {
    this.fault = fault;
    this.log.push("fault");
  }
}

class Pair implements AsyncDisposable {
  readonly accepted: Socket;
  readonly peer: Socket;
  readonly #server: Server;
  peerError = "";
  constructor(server: Server, accepted: Socket, peer: Socket) {
    this.#server = server;
    this.accepted = accepted;
    this.peer = peer;
    peer.on("error", (error: NodeJS.ErrnoException) => {
      this.peerError = error.code ?? "";
    });
  }
  static async make(): Promise<Pair> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, resolve);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    return new Pair(server, await promise, peer);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.peer.destroy();
    this.accepted.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test("nothing is delivered before open; then bytes, end, and closed after both ends", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  pair.peer.end("hello");
  pair.peer.resume();
  const sink = new Sink();
  channel.open(sink);
  assert.equal(sink.text, "");
  await eventually(() => sink.log.length === 1);
  assert.deepEqual([sink.text, sink.log], ["hello", ["end"]]);
  channel.endWrite();
  await eventually(() => sink.log.length === 2);
  assert.deepEqual(sink.log, ["end", "closed"]);
});

test("lent bytes may be overwritten after write", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  channel.open(new Sink());
  let received = 0;
  let wrong = 0;
  pair.peer.pause();
  pair.peer.on("data", (chunk: Buffer) => {
    received += chunk.length;
    wrong += chunk.filter((byte) => byte !== 1).length;
  });
  const buffer = Buffer.alloc(64 * 1024);
  let written = 0;
  for (let more = true; more; ) {
    buffer.fill(1);
    more = channel.write(buffer, true);
    buffer.fill(2);
    written += buffer.length;
  }
  assert.ok(channel.bufferedBytes > 0);
  pair.peer.resume();
  await eventually(() => received === written);
  assert.equal(wrong, 0);
});

test("lent pieces that are joined keep their order, also beside others, and leave before the end", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  channel.open(new Sink());
  const received: Buffer[] = [];
  pair.peer.on("data", (chunk: Buffer) => received.push(chunk));
  const sizes = [16_375, 16_384, 9, 40_000, 16_384, 100_000, 3, 16_384];
  const sent = sizes.map((size, index) => Buffer.alloc(size, index + 1));
  for (const [index, chunk] of sent.entries()) {
    const lent = index !== 3;
    const buffer = Buffer.from(chunk);
    channel.write(buffer, lent);
    if (lent) buffer.fill(0);
  }
  assert.equal(channel.bufferedBytes > 0, true);
  channel.endWrite();
  await once(pair.peer, "end");
  assert.equal(Buffer.concat(received).equals(Buffer.concat(sent)), true);
});

test("a joined piece that nothing follows leaves at the end of the turn", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  channel.open(new Sink());
  channel.write(Buffer.alloc(16_384), true);
  assert.equal(channel.bufferedBytes, 16_384);
  await eventually(() => pair.peer.bytesRead === 16_384);
  channel.write(Buffer.alloc(16_384), true);
  channel.abort("policy");
  assert.equal(channel.bufferedBytes, 0);
});

test("a socket that was filled by joined pieces of earlier turns takes no more", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  const sink = new Sink();
  channel.open(sink);
  const piece = Buffer.alloc(16 * 1024);
  const manyBytes = 64 * 1024 * 1024;
  let written = 0;
  // One piece in a turn: the batch is never full when it leaves.
  while (channel.write(piece, true) && written < manyBytes) {
    written += piece.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(written < manyBytes, `${written} bytes were taken for a peer that does not read`);
  assert.ok(channel.bufferedBytes < 1024 * 1024);
  pair.peer.resume();
  await eventually(() => sink.drained);
});

test("pause holds the peer, drain tells when to go on", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  const sink = new Sink();
  channel.open(sink);
  channel.pause();
  while (pair.peer.write(Buffer.alloc(256 * 1024))) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.text.length, 0);
  assert.ok(channel.bufferedBytes <= 128 * 1024);
  channel.resume();
  await eventually(() => pair.peer.writableLength === 0 && sink.text.length > 0);
});

const ABORTS: readonly (readonly [name: string, before: (channel: ReturnType<typeof tcpChannel>) => void])[] =
  [
    ["quiet", () => {}],
    ["with bytes on their way", (channel) => void channel.write(Buffer.alloc(100), false)],
    ["right after endWrite", (channel) => channel.endWrite()],
    [
      "with a peer that does not read",
      (channel) => {
        while (channel.write(Buffer.alloc(256 * 1024), false));
      },
    ],
    [
      "after endWrite with a peer that does not read",
      (channel) => {
        while (channel.write(Buffer.alloc(256 * 1024), false));
        channel.endWrite();
      },
    ],
  ];
for (const [name, before] of ABORTS) {
  test(`abort ${name}: the peer sees a reset, nobody is called, no descriptor is lost`, async () => {
    await using pair = await Pair.make();
    const channel = tcpChannel(pair.accepted);
    const sink = new Sink();
    channel.open(sink);
    before(channel);
    channel.abort("policy");
    await eventually(() => pair.accepted.closed);
    pair.peer.resume();
    // Behind a FIN only a write shows the reset.
    await eventually(() => {
      pair.peer.write("x");
      return pair.peerError === "ECONNRESET" || pair.peerError === "EPIPE";
    });
    assert.deepEqual(sink.log, []);
  });
}

test("the peer's reset is a fault, also when it came before open", async () => {
  await using pair = await Pair.make();
  const channel = tcpChannel(pair.accepted);
  const sink = new Sink();
  channel.open(sink);
  pair.peer.resetAndDestroy();
  await eventually(() => sink.log.length === 1);
  assert.deepEqual([sink.log, sink.fault], [["fault"], { kind: "reset" }]);
});

const broken = (): never => {
  throw new Error("broken consumer");
};

for (const event of ["onData", "onEnd"] as const)
  test(`a consumer whose ${event} throws costs its own connection, and is told why`, async () => {
    await using pair = await Pair.make();
    const sink = new Sink();
    sink[event] = broken;
    const errors: unknown[] = [];
    tcpChannel(pair.accepted, (error) => void errors.push(error)).open(sink);
    pair.peer.end("bytes");
    await eventually(() => sink.fault);
    assert.deepEqual(errors, [new Error("broken consumer")]);
    assert.deepEqual(sink.fault, { kind: "broken", detail: "internal error: broken consumer" });
    assert.equal(pair.accepted.destroyed, true);
  });

for (const [event, end] of [
  ["onFault", (pair: Pair) => pair.peer.resetAndDestroy()],
  ["onClosed", (pair: Pair) => pair.accepted.destroy()],
] as const)
  test(`a consumer whose ${event} throws is told of to whoever asked, and the socket is closed`, async () => {
    await using pair = await Pair.make();
    const sink = new Sink();
    sink[event] = broken;
    const errors: unknown[] = [];
    tcpChannel(pair.accepted, (error) => void errors.push(error)).open(sink);
    end(pair);
    await eventually(() => errors.length > 0);
    assert.deepEqual(errors, [new Error("broken consumer")]);
    assert.equal(pair.accepted.destroyed, true);
  });
