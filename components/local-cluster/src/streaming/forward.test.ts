import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, connect as dialTcp, type Socket } from "node:net";
import { Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { WebSocket, WebSocketServer } from "ws";
import { chooseTransport, type PodSubresource } from "./choose-transport.ts";
import { streamTypes } from "./exec-spdy.ts";
import { forwardOverChannels, readForwardRequest } from "./forward-channels.ts";
import { forwardOverSpdy, refusalOf } from "./forward-spdy.ts";
import { createTestClient, type TestClient } from "./spdy/client.testing.ts";
import type { SpdyFrame } from "./spdy/frames.ts";

const websocket = (protocol: string) => ({ upgrade: "websocket", "sec-websocket-protocol": protocol });
const spdy = (protocol: string) => ({ upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol });
const transports: readonly {
  readonly name: string;
  readonly subresource: PodSubresource;
  readonly headers: Record<string, string>;
  readonly want: string;
}[] = [
  {
    name: "kubectl 1.31 forwards",
    subresource: "portforward",
    headers: websocket("SPDY/3.1+portforward.k8s.io"),
    want: "tunnel SPDY/3.1+portforward.k8s.io",
  },
  {
    name: "a browser forwards",
    subresource: "portforward",
    headers: websocket("v4.channel.k8s.io"),
    want: "channels v4.channel.k8s.io",
  },
  {
    name: "kubectl 1.20 forwards",
    subresource: "portforward",
    headers: spdy("portforward.k8s.io"),
    want: "spdy portforward.k8s.io",
  },
  {
    name: "kubectl 1.0 forwards",
    subresource: "portforward",
    headers: { upgrade: "spdy/3.1" },
    want: "spdy ",
  },
  {
    name: "kubectl 1.31 executes",
    subresource: "exec",
    headers: websocket("v5.channel.k8s.io, v4.channel.k8s.io"),
    want: "channels v5.channel.k8s.io",
  },
  {
    name: "kubectl 1.20 executes",
    subresource: "exec",
    headers: spdy("v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io"),
    want: "spdy v4.channel.k8s.io",
  },
  { name: "exec without a protocol", subresource: "exec", headers: { upgrade: "SPDY/3.1" }, want: "403" },
  { name: "an older exec", subresource: "attach", headers: spdy("v2.channel.k8s.io"), want: "403" },
  { name: "a tunnel for exec", subresource: "exec", headers: websocket("SPDY/3.1+x"), want: "400" },
  { name: "no upgrade", subresource: "exec", headers: {}, want: "400" },
  { name: "HTTP/2", subresource: "exec", headers: { upgrade: "h2c" }, want: "400" },
];
for (const { name, subresource, headers, want } of transports)
  test(`transport: ${name}`, () => {
    const chosen = chooseTransport(subresource, headers);
    assert.equal(chosen.kind === "refused" ? `${chosen.status}` : `${chosen.kind} ${chosen.protocol}`, want);
  });

const queries = [
  { query: "ports=80&ports=443,8080", want: [80, 443, 8080] },
  { query: "", want: undefined },
  { query: "ports=0", want: undefined },
  { query: "ports=65536", want: undefined },
  { query: "ports=http", want: undefined },
  { query: `ports=${"1,".repeat(64)}1`, want: undefined },
];
for (const { query, want } of queries)
  test(`ports of a WebSocket: ${query.slice(0, 40)}`, () => {
    const read = readForwardRequest(new URLSearchParams(query));
    assert.deepEqual(read.kind === "ok" ? read.ports : undefined, want);
  });

const streams = [
  { headers: { port: "80", streamtype: "data" }, want: undefined },
  { headers: { streamtype: "data" }, want: /"port" header is required/ },
  { headers: { port: "0", streamtype: "data" }, want: /must be > 0/ },
  { headers: { port: "65536", streamtype: "data" }, want: /unable to parse/ },
  { headers: { port: "80" }, want: /"streamType" header is required/ },
  { headers: { port: "80", streamtype: "stdin" }, want: /invalid stream type/ },
];
for (const { headers, want } of streams)
  test(`a forwarded stream with ${JSON.stringify(headers)}`, () => {
    const refusal = refusalOf(new Map(Object.entries(headers)));
    if (want === undefined) assert.equal(refusal, undefined);
    else assert.match(refusal ?? "", want);
  });

test("a terminal has no standard error, and a size", () => {
  const request = { command: [], container: undefined, stdin: true, stdout: true, stderr: true, tty: true };
  assert.deepEqual([...streamTypes(request)], ["error", "stdin", "stdout", "resize"]);
  assert.deepEqual([...streamTypes({ ...request, tty: false })], ["error", "stdin", "stdout", "stderr"]);
});

async function forwarding(
  onConnection: (socket: Socket) => void,
  use: (client: TestClient, cut: () => void) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const [near, far] = duplexPair();
  const dial = (asked: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = dialTcp({ host: "127.0.0.1", port: asked === 80 ? port : 1, allowHalfOpen: true });
      socket.once("connect", () => resolve(socket)).once("error", reject);
    });
  const served = forwardOverSpdy(far, { label: "web_default", uid: "u-1", dial }, systemClock);
  try {
    await use(createTestClient(near), () => near.end());
    near.end();
    await served;
  } finally {
    near.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function openPair(client: TestClient, first: number, port: string, request: string): Promise<void> {
  await client.open(first, { port, streamtype: "error", requestid: request });
  client.data(first, "", true);
  await client.open(first + 2, { port, streamtype: "data", requestid: request });
}

const endOf = (streamId: number) => (frame: SpdyFrame) =>
  frame.kind === "data" && frame.isLast && frame.streamId === streamId;

test("forwarded connections go side by side, and each half closes alone", async () => {
  const echo = (socket: Socket): void => void socket.on("data", (chunk) => socket.end(`you said ${chunk}`));
  await forwarding(echo, async (client) => {
    await openPair(client, 1, "80", "0");
    await openPair(client, 5, "80", "1");
    client.data(7, "second");
    client.data(3, "first", true);
    await client.until(endOf(3));
    client.data(7, "", true);
    await Promise.all([1, 5, 7].map((streamId) => client.until(endOf(streamId))));
    assert.deepEqual([client.text(3), client.text(7)], ["you said first", "you said second"]);
    assert.deepEqual([client.text(1), client.text(5)], ["", ""]);
  });
});

test("a port on which nobody listens is told on the error stream, and the connection goes on", async () => {
  await forwarding(
    (socket) => void socket.end("here"),
    async (client) => {
      await openPair(client, 1, "81", "0");
      await client.until(endOf(1));
      assert.match(
        client.text(1),
        /^error forwarding port 81 to pod web_default, uid u-1: failed to connect to localhost:81 .*ECONNREFUSED/,
      );
      await openPair(client, 5, "80", "1");
      await client.until(endOf(7));
      assert.equal(client.text(7), "here");
    },
  );
});

test("a client that resets its stream ends the pod's connection, without an error", async () => {
  const closed = Promise.withResolvers<void>();
  const pod = (socket: Socket): void => {
    socket.on("end", () => closed.resolve()).resume();
    socket.write("hello");
  };
  await forwarding(pod, async (client) => {
    await openPair(client, 1, "80", "0");
    await client.until((frame) => frame.kind === "data" && frame.streamId === 3);
    client.reset(3);
    await closed.promise;
    await client.until(endOf(1));
    assert.equal(client.text(1), "");
  });
});

test("a program that resets its connection is told on the error stream", async () => {
  await forwarding(
    (socket) => void socket.once("data", () => socket.resetAndDestroy()),
    async (client) => {
      await openPair(client, 1, "80", "0");
      client.data(3, "x");
      await client.until(endOf(1));
      assert.match(client.text(1), /ECONNRESET/);
    },
  );
});

test("a second stream of the same kind is refused", async () => {
  await forwarding(
    (socket) => void socket.end(),
    async (client) => {
      await client.open(1, { port: "80", streamtype: "error", requestid: "0" });
      await client.open(3, { port: "80", streamtype: "error", requestid: "0" });
      await client.until((frame) => frame.kind === "reset" && frame.streamId === 3);
      await client.until(endOf(1));
      assert.match(client.text(1), /error stream already assigned/);
    },
  );
});

/** Takes nothing until it is let. */
function heldPort(): { readonly port: Duplex; taken(): number; release(): void } {
  let released = false;
  let bytes = 0;
  const held: (() => void)[] = [];
  const port = new Duplex({
    writableHighWaterMark: 1,
    read() {},
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (released) done();
      else held.push(done);
    },
  });
  const release = (): void => {
    released = true;
    for (const done of held.splice(0)) done();
  };
  return { port, taken: () => bytes, release };
}

test("a forwarded port that takes nothing holds the WebSocket back, whatever the others take", async () => {
  const count = 400;
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const [accepted] = (await once(server, "connection")) as [WebSocket];
  await once(client, "open");
  const ports = new Map([80, 81].map((number) => [number, heldPort()]));
  const dial = async (number: number): Promise<Duplex> => ports.get(number)?.port ?? assert.fail();
  const served = forwardOverChannels(accepted, { label: "web_default", uid: "u-1", dial }, [80, 81]);
  try {
    const send = (channel: number, size: number): void =>
      client.send(Buffer.concat([Buffer.of(channel), Buffer.alloc(size)]));
    ports.get(81)?.release();
    // What the other port is sent comes in the same pieces, and is taken at once.
    for (let index = 0; index < count; index++) {
      send(0, 16_000);
      send(2, 1);
    }
    await eventually(() => accepted.isPaused);
    assert.notEqual(ports.get(81)?.taken(), count);
    ports.get(80)?.release();
    await eventually(() => ports.get(81)?.taken() === count && ports.get(80)?.taken() === count * 16_000);
  } finally {
    client.close();
    await served;
    server.close();
  }
});
