/** Whole tunnels over real sockets and TLS: bytes, ends, resets, back-pressure, many streams. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { Rig, readAll } from "./hbone.fixture.ts";

const MIB = 1024 * 1024;
const deadline = { timeout: 30_000 };

test("a round trip, with peer, authority and byte counts", deadline, async () => {
  await using rig = await Rig.start();
  const client = await rig.client();
  client.end("hello");
  assert.equal((await readAll(client)).toString(), "hello");
  const client1 = await eventually(() => rig.clientResults[0]);
  const server1 = await eventually(() => rig.serverResults[0]);
  for (const result of [client1, server1]) {
    assert.deepEqual(result?.end, { kind: "closed" });
    assert.deepEqual([result?.sentBytes, result?.receivedBytes], [5, 5]);
  }
  const [request] = rig.requests;
  assert.equal(request?.authority, "10.0.0.1:80");
  assert.deepEqual(request?.headers, [["baggage", ""]]);
  assert.equal(request?.peer.identity.serviceAccount, "client");
  assert.equal(request?.peer.remoteAddress, "127.0.0.1");
  assert.equal(request?.peer.localPort, rig.hbonePort);
});

test("half-close: the server answers after the client's end", deadline, async () => {
  const app = async (socket: Socket): Promise<void> => {
    const asked = await readAllHalfOpen(socket);
    socket.end(`got ${asked.length}`);
  };
  await using rig = await Rig.start({ app: (socket) => void app(socket) });
  const client = await rig.client();
  client.end(Buffer.alloc(100_000));
  assert.equal((await readAll(client)).toString(), "got 100000");
});

test("half-close: the client goes on after the server's end", deadline, async () => {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const app = (socket: Socket): void => {
    socket.end("bye");
    void readAllHalfOpen(socket).then(resolve);
  };
  await using rig = await Rig.start({ app });
  const client = await rig.client();
  assert.equal((await readAllHalfOpen(client)).toString(), "bye");
  client.end(Buffer.alloc(50_000));
  assert.equal((await promise).length, 50_000);
  await eventually(() => rig.clientResults.length === 1 && rig.clientResults[0]?.end.kind === "closed");
});

test("a reset by the application reaches the client as a reset", deadline, async () => {
  const app = (socket: Socket): void => {
    socket.on("data", () => socket.resetAndDestroy());
    socket.resume();
  };
  await using rig = await Rig.start({ app });
  const client = await rig.client();
  const error = once(client, "error");
  client.resume();
  client.write("x");
  const [reason] = (await error) as [NodeJS.ErrnoException];
  assert.equal(reason.code, "ECONNRESET");
  await eventually(
    () => rig.serverResults[0]?.end.kind === "faulted" && rig.clientResults[0]?.end.kind === "faulted",
  );
});

test("a reset by the client reaches the application as a reset", deadline, async () => {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const app = (socket: Socket): void => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.resume();
  };
  await using rig = await Rig.start({ app });
  const client = await rig.client();
  client.write("x");
  await eventually(() => rig.server.streams === 1 && rig.relays.active === 2);
  client.resetAndDestroy();
  assert.equal(await promise, "ECONNRESET");
});

test("policy cuts an open connection, and both ends see a reset", deadline, async () => {
  await using rig = await Rig.start();
  const client = await rig.client();
  client.write("x");
  await once(client, "data");
  const error = once(client, "error");
  rig.relays.abortAll("policy");
  assert.equal(((await error)[0] as NodeJS.ErrnoException).code, "ECONNRESET");
  await eventually(() => rig.relays.active === 0 && rig.server.streams === 0 && rig.pool.streams === 0);
});

test("100 MiB each way past slow readers: nothing is lost, buffers stay bounded", deadline, async () => {
  const source = randomBytes(4 * MIB);
  const rounds = 25;
  const send = async (socket: Socket): Promise<void> => {
    for (let round = 0; round < rounds; round++) if (!socket.write(source)) await once(socket, "drain");
    socket.end();
  };
  const digest = async (socket: Socket): Promise<string> => {
    const hash = createHash("sha256");
    let turn = 0;
    for await (const chunk of socket) {
      hash.update(chunk as Buffer);
      // A reader that stops now and then, so that windows fill.
      if (++turn % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return hash.digest("hex");
  };
  const expected = createHash("sha256");
  for (let round = 0; round < rounds; round++) expected.update(source);
  const want = expected.digest("hex");
  const { promise, resolve } = Promise.withResolvers<string>();
  const app = (socket: Socket): void => {
    void send(socket);
    void digest(socket).then(resolve);
  };
  await using rig = await Rig.start({ app });
  const client = await rig.client();
  void send(client);
  const [down, up] = await Promise.all([digest(client), promise]);
  assert.deepEqual([down, up], [want, want]);
  const result = await eventually(() => rig.clientResults[0]);
  assert.deepEqual(result?.end, { kind: "closed" });
  assert.deepEqual([result?.sentBytes, result?.receivedBytes], [100 * MIB, 100 * MIB]);
});

test("an application that does not read holds the sender within the windows", deadline, async () => {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  await using rig = await Rig.start({ app: resolve });
  const outcome = await rig.open();
  assert.equal(outcome.kind, "open");
  if (outcome.kind !== "open") return;
  let drained = true;
  let written = 0;
  outcome.channel.open({
    onData: () => {},
    onEnd: () => {},
    onClosed: () => {},
    onFault: () => {},
    onDrain: () => {
      drained = true;
    },
  });
  // Until nothing moves any more for a while: kernel buffers on loopback take some MiB besides the window.
  for (let quiet = 0; quiet < 20; quiet++) {
    while (drained) {
      drained = outcome.channel.write(Buffer.alloc(64 * 1024), false);
      written += 64 * 1024;
      quiet = 0;
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  const app = await promise;
  assert.ok(
    outcome.channel.bufferedBytes <= 64 * 1024,
    `${outcome.channel.bufferedBytes} bytes wait in the sender`,
  );
  assert.ok(written < 64 * MIB, `${written} bytes were taken`);
  let read = 0;
  app.on("data", (chunk) => {
    read += chunk.length;
  });
  app.resume();
  await eventually(() => read === written, { deadlineMs: 20_000 });
});

test("10 000 tunnels one after another and 1 000 at once over pooled connections", deadline, async () => {
  await using rig = await Rig.start();
  let done = 0;
  const one = async (): Promise<void> => {
    const client = await rig.client();
    client.end("ping");
    assert.equal((await readAll(client)).toString(), "ping");
    done++;
  };
  const worker = async (): Promise<void> => {
    while (started < 10_000) {
      started++;
      await one();
    }
  };
  let started = 0;
  await Promise.all(Array.from({ length: 150 }, worker));
  assert.equal(done, 10_000);
  assert.ok(rig.pool.connections <= 3, `${rig.pool.connections} connections for 150 tunnels at once`);
  const outcomes = await Promise.all(Array.from({ length: 1000 }, () => rig.open()));
  assert.equal(
    outcomes.every((outcome) => outcome.kind === "open"),
    true,
  );
  assert.equal(rig.pool.streams, 1000);
  assert.ok(rig.pool.connections >= 10 && rig.pool.connections <= 12, `${rig.pool.connections} connections`);
});

async function readAllHalfOpen(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, "end");
  return Buffer.concat(chunks);
}

test(
  "who gives up while a connection is being made takes nobody along who came later",
  deadline,
  async () => {
    await using rig = await Rig.start();
    rig.dialsHang = true;
    const stop = new AbortController();
    const first = rig.open({}, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    rig.dialsHang = false;
    stop.abort();
    const second = rig.open();
    assert.equal((await first).kind, "failed");
    const outcome = await second;
    assert.equal(outcome.kind, "open");
    if (outcome.kind === "open") outcome.channel.abort("drain");
  },
);
