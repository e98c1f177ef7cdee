/**
 * The far end of the tunnel benchmark, in a process of its own: HBONE, node:http2 and bare TLS listeners that count what they
 * get and answer the count, and a proxy whose memory is measured.
 */
import { createSecureServer } from "node:http2";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
} from "@meltemi/hbone";
import { type ByteChannel, createRelays, tcpChannel } from "@meltemi/l4";
import { ip } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { CLIENT, type Credentials, contextsOf, SERVER } from "./credentials.ts";

export type PeerCommand =
  | { readonly kind: "sink"; readonly credentials: Credentials }
  | { readonly kind: "proxy"; readonly credentials: Credentials; readonly hbonePort: number }
  | { readonly kind: "memory" };

export interface PeerReply {
  readonly ports?: {
    readonly hbone: number;
    readonly http2: number;
    readonly tls: number;
    readonly proxy: number;
  };
  /** Anonymous memory of the process, from /proc/self/status. */
  readonly anonBytes?: number;
  readonly relays?: number;
}

const LOCALHOST = "127.0.0.1";
const MIB = 1024 * 1024;
const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });

process.on("message", (command: PeerCommand) => void obey(command));

async function obey(command: PeerCommand): Promise<void> {
  if (command.kind === "sink") reply({ ports: await startSinks(command.credentials) });
  else if (command.kind === "proxy")
    reply({ ports: await startProxy(command.credentials, command.hbonePort) });
  else reply({ anonBytes: await anonBytes(), relays: relays.active });
}

function reply(message: PeerReply): void {
  process.send?.(message);
}

async function startSinks(credentials: Credentials): Promise<NonNullable<PeerReply["ports"]>> {
  const contexts = contextsOf(credentials);
  const server = createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: 100 },
    {
      clock: systemClock,
      certificate: () => contexts,
      onRequest: (request) => countChannel(request.accept([])),
    },
  );
  const hbone = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    server.accept(socket),
  );
  const tls: TlsOptions = { ...credentials, minVersion: "TLSv1.3", requestCert: true, noDelay: true };
  const settings = { initialWindowSize: 4 * MIB, maxFrameSize: MIB };
  const http2 = createSecureServer({ ...tls, settings } as object);
  http2.on("session", (session) => session.setLocalWindowSize(16 * MIB));
  http2.on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    countDuplex(stream);
  });
  const bare = createTlsServer({ ...tls, allowHalfOpen: true } as object, countDuplex);
  return { hbone: await listen(hbone), http2: await listen(http2), tls: await listen(bare), proxy: 0 };
}

function countChannel(channel: ByteChannel): void {
  let count = 0;
  channel.open({
    onData: (chunk) => {
      count += chunk.length;
    },
    onEnd: () => {
      channel.write(Buffer.from(`${count}`), false);
      channel.endWrite();
    },
    onDrain: () => {},
    onClosed: () => {},
    onFault: () => {},
  });
}

function countDuplex(stream: Duplex): void {
  let count = 0;
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => {
    count += chunk.length;
  });
  stream.on("end", () => stream.end(`${count}`));
}

async function startProxy(
  credentials: Credentials,
  hbonePort: number,
): Promise<NonNullable<PeerReply["ports"]>> {
  const contexts = contextsOf(credentials);
  const pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock: systemClock,
    certificate: () => contexts,
    dial: ({ port }) =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: LOCALHOST, allowHalfOpen: true }, () => resolve(socket));
        socket.once("error", reject);
      }),
  });
  const address = ip(LOCALHOST);
  const key = {
    source: CLIENT,
    expected: [SERVER],
    destination: { ip: address, port: hbonePort },
    sourceIp: address,
  };
  const entry = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, async (socket) => {
    const outcome = await pool.openTunnel(key, { authority: "10.0.0.1:80", headers: [["baggage", ""]] });
    if (outcome.kind === "open") relays.start(tcpChannel(socket), outcome.channel);
    else socket.destroy();
  });
  return { hbone: 0, http2: 0, tls: 0, proxy: await listen(entry) };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen({ port: 0, host: LOCALHOST, backlog: 4096 }, resolve));
  return (server.address() as AddressInfo).port;
}

async function anonBytes(): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  // Twice: what dies with the first collection may hold more.
  for (let round = 0; round < 2; round++) globalThis.gc?.();
  const status = await readFile("/proc/self/status", "utf8");
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? "0") * 1024;
}
