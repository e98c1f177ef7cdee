/** The DNS proxy's listeners in a pod: UDP and TCP on loopback, IPv4 and IPv6 (reference: protocol §9). */

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { type Ip, ip, isIpv6 } from "@meltemi/model";
import { describeError, detach, type Logger, MeshError } from "@meltemi/runtime";
import { adoptListener, adoptUdp } from "../sockets/adopt.ts";
import type { PodSockets } from "../sockets/pod-sockets.ts";
import type { DnsHandler } from "./dns-handler.ts";
import { FrameReader, frame } from "./tcp-framing.ts";

/** As Istio; a stub resolver asks within the same second. */
const TCP_IDLE_MS = 5000;
/** One pod's resolvers need a few; each may hold a message of 64 KiB. */
const MAX_TCP_CONNECTIONS = 64;

export interface DnsServerOptions {
  readonly port: number;
  readonly ipv6Enabled: boolean;
}

export interface DnsServerDeps {
  readonly sockets: PodSockets;
  readonly handler: DnsHandler;
  readonly logger: Logger;
}

export interface DnsServer {
  close(): void;
}

/** Listens at once; KERNEL when the port is taken. A pod without IPv6 is served on IPv4 alone. */
export function startDnsServer(options: DnsServerOptions, deps: DnsServerDeps): DnsServer {
  const log = deps.logger.scope("dns");
  const opened: { close(): void }[] = [];
  const close = (): void => {
    for (const one of opened.splice(0)) one.close();
  };
  try {
    for (const address of [ip("127.0.0.1"), ...(options.ipv6Enabled ? [ip("::1")] : [])]) {
      try {
        opened.push(listenUdp(address, options.port, deps));
        opened.push(listenTcp(address, options.port, deps));
      } catch (error) {
        if (!isIpv6(address) || !isAddressMissing(error)) throw error;
        log.debug("pod has no IPv6 loopback", { error: describeError(error) });
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

function isAddressMissing(error: unknown): boolean {
  const errno = error instanceof MeshError ? error.details["errno"] : undefined;
  return errno === "EADDRNOTAVAIL" || errno === "EAFNOSUPPORT";
}

function listenUdp(address: Ip, port: number, deps: DnsServerDeps): { close(): void } {
  const log = deps.logger.scope("dns");
  const fd = deps.sockets.bindUdp({ ip: address, port });
  const socket: UdpSocket = createSocket(isIpv6(address) ? "udp6" : "udp4");
  socket.on("error", (error) => log.warn("dns socket failed", { error: describeError(error) }));
  const answer = async (message: Uint8Array, from: RemoteInfo): Promise<void> => {
    // Nobody can be answered at port 0, which any raw socket of the pod may write; Node throws when it is told to.
    if (from.port === 0) return;
    const answer = await deps.handler.handle(message, "udp");
    if (answer === undefined || closed) return;
    socket.send(answer, from.port, from.address, (error) => {
      if (error !== null) log.debug("dns answer not sent", { error: describeError(error) });
    });
  };
  const onError = (error: unknown): void =>
    log.warn("dns question not answered", { error: describeError(error) });
  socket.on("message", (message, from) => detach(() => answer(message, from), onError));
  let closed = false;
  adoptUdp(socket, fd);
  return {
    close() {
      closed = true;
      socket.close();
    },
  };
}

function listenTcp(address: Ip, port: number, deps: DnsServerDeps): { close(): void } {
  const connections = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serveTcp(socket, deps);
  });
  server.maxConnections = MAX_TCP_CONNECTIONS;
  server.on("error", (error) =>
    deps.logger.scope("dns").warn("dns listener failed", { error: describeError(error) }),
  );
  adoptListener(server, deps.sockets.listenTcp({ ip: address, port }, false).fd);
  return {
    close() {
      server.close();
      for (const socket of connections) socket.destroy();
    },
  };
}

/** Answers one message after the other: while one is worked on, the client is not read. */
function serveTcp(socket: Socket, deps: DnsServerDeps): void {
  const reader = new FrameReader();
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  // A client that resets is gone; there is nobody to tell.
  socket.on("error", () => socket.destroy());
  const answer = async (chunk: Buffer): Promise<void> => {
    const frames = reader.push(chunk);
    if (frames.kind === "bad") {
      socket.destroy();
      return;
    }
    socket.pause();
    for (const message of frames.messages) {
      const answer = await deps.handler.handle(message, "tcp");
      if (socket.destroyed) return;
      if (answer !== undefined) socket.write(frame(answer));
    }
    socket.resume();
  };
  const onError = (error: unknown): void => {
    socket.destroy();
    deps.logger.scope("dns").warn("dns connection cut", { error: describeError(error) });
  };
  socket.on("data", (chunk) => detach(() => answer(chunk), onError));
}
