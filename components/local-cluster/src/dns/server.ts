/** The cluster's DNS server: UDP and TCP on port 53 of the fabric's address, which is where `kube-dns` points. */

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { createTcpListener, createUdpSocket, openNetworkNamespace } from "@meltemi/linux";
import { describeError, type Logger } from "@meltemi/runtime";
import type { ClusterView } from "./records.ts";
import { respond, serverFailure } from "./respond.ts";
import type { Upstream } from "./upstream.ts";

export interface DnsServerOptions {
  /** Path of the namespace to listen in. */
  readonly namespacePath: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface DnsServerDependencies {
  readonly log: Logger;
  readonly view: ClusterView;
  readonly upstream: Upstream;
}

export interface DnsServer {
  close(): void;
}

/** RFC 7766 §6.2.3: a client that opened a connection and asks nothing is let go. */
const TCP_IDLE_MS = 10_000;
const MAX_TCP_CONNECTIONS = 512;
/** Answers that one connection may be owed at a time (RFC 7766 §6.2.1.1 allows pipelining). */
const MAX_PIPELINED = 32;

export function startDnsServer(options: DnsServerOptions, deps: DnsServerDependencies): DnsServer {
  using netns = openNetworkNamespace(options.namespacePath);
  const sockets: (UdpSocket | Server)[] = [];
  for (const ip of options.addresses) {
    const address = { ip, port: options.port };
    const udp = createSocket({ type: ip.includes(":") ? "udp6" : "udp4" });
    udp.on("message", (query, from) => void answerUdp(udp, query, from, deps));
    udp.on("error", (error) => deps.log.error("dns socket failed", { error: describeError(error) }));
    udp.bind({ fd: createUdpSocket({ netns, address, v6Only: true }).fd });
    const tcp = createServer((socket) => serveTcp(socket, deps));
    tcp.maxConnections = MAX_TCP_CONNECTIONS;
    tcp.on("error", (error) => deps.log.error("dns listener failed", { error: describeError(error) }));
    tcp.listen({ fd: createTcpListener({ netns, address, backlog: 128, v6Only: true }).fd });
    sockets.push(udp, tcp);
  }
  return { close: () => sockets.forEach((socket) => void socket.close()) };
}

async function answer(
  query: Buffer,
  transport: "udp" | "tcp",
  deps: DnsServerDependencies,
): Promise<Buffer | undefined> {
  const response = respond(deps.view, query, transport);
  if (response.kind === "ignore") return undefined;
  if (response.kind === "answer") return response.bytes;
  return (await deps.upstream.ask(query)) ?? serverFailure(query);
}

async function answerUdp(
  socket: UdpSocket,
  query: Buffer,
  from: { readonly address: string; readonly port: number },
  deps: DnsServerDependencies,
): Promise<void> {
  const bytes = await answer(query, "udp", deps);
  // The client may be gone; UDP owes it nothing.
  if (bytes !== undefined) socket.send(bytes, from.port, from.address, () => {});
}

/** Messages with a two-byte length before each (RFC 1035 §4.2.2). */
function serveTcp(socket: Socket, deps: DnsServerDependencies): void {
  let buffered: Buffer = Buffer.alloc(0);
  let owed = 0;
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  const reply = async (query: Buffer): Promise<void> => {
    const bytes = await answer(query, "tcp", deps);
    owed -= 1;
    if (bytes === undefined) socket.destroy();
    else if (!socket.destroyed) socket.write(withLength(bytes));
    if (owed < MAX_PIPELINED) socket.resume();
  };
  socket.on("data", (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      owed += 1;
      void reply(buffered.subarray(2, end));
      buffered = buffered.subarray(end);
    }
    if (owed >= MAX_PIPELINED) socket.pause();
  });
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
