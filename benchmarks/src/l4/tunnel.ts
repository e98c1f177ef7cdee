/** The tunnel alone: bulk through one stream against node:http2 and bare TLS, and the memory of an idle proxied connection. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
} from "@meltemi/hbone";
import type { ByteChannel } from "@meltemi/l4";
import { ip } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createTestAuthority, eventually } from "@meltemi/testkit";
import { type Figure, figureOf, type Run } from "../figure.ts";
import type { Suite } from "../suite.ts";
import { CLIENT, type Credentials, contextsOf, credentials, SERVER } from "./credentials.ts";
import type { PeerCommand, PeerReply } from "./tunnel-peer.ts";

const LOCALHOST = "127.0.0.1";
const MIB = 1024 * 1024;
const BULK_BYTES = 512 * MIB;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const IDLE_CONNECTIONS = 2000;
const IDLE_TARGET_BYTES = 12 * 1024;

export const tunnelSuite: Suite = {
  name: "tunnel",
  about:
    "one HBONE stream between two processes against node:http2 and bare TLS; memory of an idle proxied connection",
  async *run({ pairs, progress }): AsyncIterable<Figure> {
    const authority = createTestAuthority();
    const ours = credentials(authority, CLIENT);
    const theirs = credentials(authority, SERVER);
    yield* bulk(ours, theirs, pairs, progress);
    progress(`${IDLE_CONNECTIONS} idle connections`);
    yield await idle(ours, theirs, pairs);
  },
};

async function* bulk(
  ours: Credentials,
  theirs: Credentials,
  pairs: number,
  progress: (text: string) => void,
): AsyncIterable<Figure> {
  const peer = new Peer();
  const ports = await peer.start({ kind: "sink", credentials: theirs });
  const ways = {
    hbone: () => hboneBulk(ours, ports.hbone),
    http2: () => http2Bulk(ours, ports.http2),
    tls: () => tlsBulk(ours, ports.tls),
  };
  const results = { hbone: [] as number[], http2: [] as number[], tls: [] as number[] };
  for (const way of Object.values(ways)) await way();
  for (let pair = 1; pair <= pairs; pair++) {
    progress(`bulk, round ${pair} of ${pairs}`);
    for (const [name, way] of Object.entries(ways)) results[name as keyof typeof ways].push(await way());
  }
  peer.stop();
  for (const [other, peerName] of [
    ["http2", "node:http2, same windows"],
    ["tls", "bare TLS"],
  ] as const) {
    const runs: Run[] = results.hbone.map((gbit, index) => ({
      ours: gbit,
      peer: results[other][index] ?? Number.NaN,
    }));
    const correct = runs.every((run) => run.ours > 0 && (run.peer ?? 0) > 0);
    yield figureOf({
      name: `tunnel, 1 stream, ${BULK_BYTES / MIB} MiB one way`,
      unit: "Gbit/s",
      peerName,
      runs,
      correct,
    });
  }
}

/** Gbit/s; 0 when the far end counted other bytes than were sent. */
async function timed(send: () => Promise<string>): Promise<number> {
  const startMs = performance.now();
  const counted = await send();
  const gbit = (BULK_BYTES * 8) / 1e6 / (performance.now() - startMs);
  return Number(counted) === BULK_BYTES ? gbit : 0;
}

async function hboneBulk(from: Credentials, port: number): Promise<number> {
  const contexts = contextsOf(from);
  await using pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock: systemClock,
    certificate: () => contexts,
    dial: () => dial(port),
  });
  const address = ip(LOCALHOST);
  const key = { source: CLIENT, expected: [SERVER], destination: { ip: address, port }, sourceIp: address };
  const outcome = await pool.openTunnel(key, { authority: "10.0.0.1:80", headers: [] });
  if (outcome.kind !== "open") throw new Error(JSON.stringify(outcome));
  return await timed(() => pushChannel(outcome.channel));
}

function pushChannel(channel: ByteChannel): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    let left = BULK_BYTES;
    const push = (): void => {
      while (left > 0) {
        left -= CHUNK.length;
        if (!channel.write(CHUNK, true)) return;
      }
      channel.endWrite();
    };
    channel.open({
      onData: (chunk) => {
        answer += Buffer.from(chunk).toString();
      },
      onEnd: () => resolve(answer),
      onDrain: push,
      onClosed: () => {},
      onFault: (fault) => reject(new Error(JSON.stringify(fault))),
    });
    push();
  });
}

async function http2Bulk(from: Credentials, port: number): Promise<number> {
  const settings = { initialWindowSize: 4 * MIB, maxFrameSize: MIB, enablePush: false };
  const session = connectHttp2(`https://${LOCALHOST}:${port}`, { ...from, settings, ...UNNAMED } as object);
  await once(session, "remoteSettings");
  session.setLocalWindowSize(16 * MIB);
  const stream = session.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" }, { endStream: false });
  await once(stream, "response");
  const gbit = await timed(() => pushDuplex(stream));
  session.destroy();
  return gbit;
}

async function tlsBulk(from: Credentials, port: number): Promise<number> {
  const socket = connectTls({ port, host: LOCALHOST, ...from, ...UNNAMED });
  await once(socket, "secureConnect");
  const gbit = await timed(() => pushDuplex(socket));
  socket.destroy();
  return gbit;
}

/** The peers of the comparison check the chain; names are not what is measured. */
const UNNAMED = { checkServerIdentity: (): undefined => undefined };

async function pushDuplex(stream: Duplex): Promise<string> {
  let answer = "";
  stream.on("data", (chunk: Buffer) => {
    answer += chunk.toString();
  });
  const ended = once(stream, "end");
  for (let left = BULK_BYTES; left > 0; left -= CHUNK.length)
    if (!stream.write(CHUNK)) await once(stream, "drain");
  stream.end();
  await ended;
  return answer;
}

/** App socket, tunnel stream and their relay, in a proxy that does nothing else. */
async function idle(ours: Credentials, theirs: Credentials, pairs: number): Promise<Figure> {
  const contexts = contextsOf(theirs);
  const channels: ByteChannel[] = [];
  await using server = createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: 1000 },
    {
      clock: systemClock,
      certificate: () => contexts,
      onRequest: (request) => channels.push(request.accept([])),
    },
  );
  const { createServer } = await import("node:net");
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    server.accept(socket),
  );
  listener.listen(0, LOCALHOST);
  await once(listener, "listening");
  const hbonePort = (listener.address() as { port: number }).port;
  const runs: Run[] = [];
  let correct = true;
  for (let run = 0; run < pairs; run++) {
    const peer = new Peer();
    const { proxy } = await peer.start({ kind: "proxy", credentials: ours, hbonePort });
    const hold = async (count: number): Promise<Socket[]> => {
      const sockets: Socket[] = [];
      while (sockets.length < count)
        sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => dial(proxy)))));
      return sockets;
    };
    // The first ones pay for code and contexts, which are not per connection.
    const first = await hold(200);
    await eventually(() => peer.ask({ kind: "memory" }).then((reply) => reply.relays === 200));
    const before = (await peer.ask({ kind: "memory" })).anonBytes ?? 0;
    const rest = await hold(IDLE_CONNECTIONS);
    await eventually(() =>
      peer.ask({ kind: "memory" }).then((reply) => reply.relays === 200 + IDLE_CONNECTIONS),
    );
    const after = (await peer.ask({ kind: "memory" })).anonBytes ?? 0;
    correct &&= server.streams === 200 + IDLE_CONNECTIONS;
    runs.push({ ours: (after - before) / IDLE_CONNECTIONS });
    for (const socket of [...first, ...rest]) socket.destroy();
    peer.stop();
    await eventually(() => server.streams === 0);
  }
  listener.close();
  return figureOf({
    name: `anonymous memory of a proxy per idle proxied connection (${IDLE_CONNECTIONS} of them)`,
    unit: "bytes",
    runs,
    correct,
    target: { text: "≤ 12 KiB", holds: (figure) => figure.ours <= IDLE_TARGET_BYTES },
  });
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: LOCALHOST, allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** The other process. */
class Peer {
  readonly #child: ChildProcess = fork(new URL("./tunnel-peer.ts", import.meta.url), [], {
    execArgv: ["--expose-gc"],
  });

  async start(command: PeerCommand): Promise<NonNullable<PeerReply["ports"]>> {
    const { ports } = await this.ask(command);
    if (ports === undefined) throw new TypeError("peer did not start");
    return ports;
  }

  async ask(command: PeerCommand): Promise<PeerReply> {
    const answer = once(this.#child, "message");
    this.#child.send(command);
    const [reply] = (await answer) as [PeerReply];
    return reply;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
