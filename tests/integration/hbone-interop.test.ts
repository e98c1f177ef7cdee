/** Against node:http2 (nghttp2), as client and as server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { secureContextOptions } from "@meltemi/identity";
import { tcpChannel } from "@meltemi/l4";
import { eventually } from "@meltemi/testkit";
import { CLIENT, Rig, readAll, SERVER } from "./hbone.fixture.ts";

const deadline = { timeout: 30_000 };
const MIB = 1024 * 1024;

async function session(rig: Rig): Promise<ClientHttp2Session> {
  const { key, cert, ca, minVersion } = secureContextOptions(rig.authority.issue(CLIENT));
  const options = {
    key,
    cert,
    ca,
    minVersion,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["h2"],
    maxSendHeaderBlockLength: 1e6,
  };
  const client = connect(`https://127.0.0.1:${rig.hbonePort}`, options as object);
  client.on("error", () => {});
  await once(client, "connect");
  return client;
}

async function statusOf(stream: ClientHttp2Stream): Promise<number | undefined> {
  const [headers] = (await once(stream, "response")) as [{ ":status"?: number }];
  return headers[":status"];
}

test("node:http2 as client: a tunnel with 20 MiB and half-close", deadline, async () => {
  await using rig = await Rig.start();
  const client = await session(rig);
  const stream = client.request(
    { ":method": "CONNECT", ":authority": "10.0.0.1:80", baggage: "k=ä" },
    { endStream: false },
  );
  assert.equal(await statusOf(stream), 200);
  assert.deepEqual(rig.requests[0]?.headers, [["baggage", "k=ä"]]);
  stream.end(Buffer.alloc(20 * MIB, 7));
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  assert.equal(bytes, 20 * MIB);
  await eventually(() => rig.serverResults[0]?.end.kind === "closed" && rig.server.streams === 0);
  assert.deepEqual(client.remoteSettings.maxConcurrentStreams, 200);
  assert.deepEqual(client.remoteSettings.initialWindowSize, 4 * MIB);
  assert.deepEqual(client.remoteSettings.maxFrameSize, MIB);
  client.close();
  await eventually(() => rig.connectionEnds[0]?.kind === "closed");
});

test("node:http2 as client: 150 tunnels at once, and a reset", deadline, async () => {
  await using rig = await Rig.start();
  const client = await session(rig);
  const echo = async (): Promise<void> => {
    const stream = client.request(
      { ":method": "CONNECT", ":authority": "10.0.0.1:80" },
      { endStream: false },
    );
    stream.end("x".repeat(10_000));
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    assert.equal(text.length, 10_000);
  };
  await Promise.all(Array.from({ length: 150 }, echo));
  const stream = client.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" }, { endStream: false });
  await statusOf(stream);
  stream.close(8);
  await eventually(() => rig.serverResults.at(-1)?.end.kind === "faulted");
  client.destroy();
});

test("node:http2 as client: anything but CONNECT is 400, headers too large 431", deadline, async () => {
  await using rig = await Rig.start();
  const client = await session(rig);
  for (const method of ["GET", "POST", "OPTIONS"]) {
    assert.equal(await statusOf(client.request({ ":method": method, ":path": "/" })), 400);
  }
  const large: Record<string, string> = {};
  for (let index = 0; index < 20; index++) large[`x-${index}`] = "v".repeat(3400);
  const answer = statusOf(client.request({ ":method": "CONNECT", ":authority": "a:1", ...large }));
  assert.equal(await answer, 431);
  assert.equal(rig.requests.length, 0);
  client.destroy();
});

test("node:http2 as client: drain asks it to go, and lets its tunnel end", deadline, async () => {
  await using rig = await Rig.start();
  const client = await session(rig);
  const stream = client.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" }, { endStream: false });
  await statusOf(stream);
  const goaway = once(client, "goaway");
  const drained = rig.server.drain(20_000);
  await goaway;
  stream.end("last words");
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  assert.equal(text, "last words");
  assert.deepEqual(await drained, { cutStreams: 0 });
});

async function foreignServer(
  rig: Rig,
  onStream: (stream: ServerHttp2Stream, authority: string) => void,
  settings: object = {},
): Promise<{ server: Http2SecureServer; port: number }> {
  const { key, cert, ca, minVersion } = secureContextOptions(rig.authority.issue(SERVER));
  const tls = { key, cert, ca, minVersion, requestCert: true, rejectUnauthorized: true, settings };
  const server = createSecureServer(tls as object);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    onStream(stream, String(headers[":authority"]));
  });
  server.on("sessionError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

test("node:http2 as server, with its default windows: 20 MiB through a relay", deadline, async () => {
  await using rig = await Rig.start();
  const { server, port } = await foreignServer(rig, (stream, authority) => {
    assert.equal(authority, "10.0.0.1:80");
    stream.respond({ ":status": 200, baggage: "x=y" });
    stream.pipe(stream);
  });
  const { destination } = rig.key();
  const outcome = await rig.open({ destination: { ...destination, port } });
  assert.equal(outcome.kind, "open");
  if (outcome.kind !== "open") return;
  assert.deepEqual(
    outcome.headers.filter(([name]) => name === "baggage"),
    [["baggage", "x=y"]],
  );
  const entry = await rig.listen((socket) => void rig.relays.start(tcpChannel(socket), outcome.channel));
  const client = await rig.dial(entry);
  client.end(Buffer.alloc(20 * MIB, 3));
  assert.equal((await readAll(client)).length, 20 * MIB);
  await rig.pool.drain(1000);
  server.close();
});

test("node:http2 as server: refusals, resets and its stream limit are understood", deadline, async () => {
  await using rig = await Rig.start();
  let count = 0;
  const { server, port } = await foreignServer(
    rig,
    (stream) => {
      count++;
      if (count === 1) stream.respond({ ":status": 401 }, { endStream: true });
      else if (count === 2) stream.close(2);
      else stream.respond({ ":status": 200 });
    },
    { maxConcurrentStreams: 5 },
  );
  const destination = { ...rig.key().destination, port };
  const refused = await rig.open({ destination });
  assert.deepEqual([refused.kind, refused.kind === "refused" && refused.status], ["refused", 401]);
  const reset = await rig.open({ destination });
  assert.deepEqual([reset.kind, reset.kind === "failed" && reset.stage], ["failed", "stream"]);
  const open = await Promise.all(Array.from({ length: 12 }, () => rig.open({ destination })));
  assert.equal(open.filter((outcome) => outcome.kind === "open").length, 12);
  assert.equal(rig.pool.connections, 3);
  await rig.pool.drain(0);
  server.close();
});

test(
  "node:http2 as server: one that grants no stream is not stormed with connections",
  deadline,
  async () => {
    await using rig = await Rig.start();
    const { server, port } = await foreignServer(rig, (stream) => stream.respond({ ":status": 200 }), {
      maxConcurrentStreams: 0,
    });
    let accepted = 0;
    server.on("connection", () => accepted++);
    const destination = { ...rig.key().destination, port };
    for (let round = 0; round < 3; round++) {
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => rig.open({ destination })));
      assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(["failed"]));
    }
    // Each tunnel is tried twice, each time with a connection of its own at most.
    assert.ok(accepted <= 3 * 4 * 2, `${accepted} connections`);
    await rig.pool.drain(0);
    server.close();
  },
);

test(
  "node:http2 as server: GOAWAY takes the connection out of the pool, its tunnel goes on",
  deadline,
  async () => {
    await using rig = await Rig.start();
    const { server, port } = await foreignServer(rig, (stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
      if (rig.pool.connections === 1) stream.session?.goaway(0);
    });
    const destination = { ...rig.key().destination, port };
    const first = await rig.open({ destination });
    assert.equal(first.kind, "open");
    const second = await eventually(async () => {
      const outcome = await rig.open({ destination });
      return rig.pool.connections > 1 ? outcome : undefined;
    });
    assert.equal(second?.kind, "open");
    if (first.kind !== "open") return;
    let echoed = 0;
    first.channel.open({
      onData: (chunk) => {
        echoed += chunk.length;
      },
      onEnd: () => {},
      onDrain: () => {},
      onClosed: () => {},
      onFault: () => {},
    });
    first.channel.write(Buffer.alloc(100), false);
    await eventually(() => echoed === 100);
    await rig.pool.drain(0);
    server.close();
  },
);
