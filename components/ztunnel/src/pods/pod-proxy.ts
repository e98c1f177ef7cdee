/** The proxy of one pod: its listeners, its HBONE server and pool, its DNS. */

import { createServer, type Socket } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  type HbonePool,
  type HbonePoolOptions,
  type HboneServer,
  type HboneServerOptions,
} from "@meltemi/hbone";
import { formatSocketAddress, parseIp, type SocketAddress, workloadIdentity } from "@meltemi/model";
import { describeError, detach, MeshError } from "@meltemi/runtime";
import type { DnsHandler } from "../dns/dns-handler.ts";
import { startDnsServer } from "../dns/dns-server.ts";
import { acceptHboneRequest } from "../inbound/accept-hbone.ts";
import { acceptPlaintext } from "../inbound/accept-plaintext.ts";
import { acceptOutbound } from "../outbound/accept-outbound.ts";
import { acceptWaiting, adoptListener, closeListener } from "../sockets/adopt.ts";
import { sourceFor } from "../sockets/pod-sockets.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { CONNECT_TIMEOUT_MS, localWorkload, type PodContext, UNKNOWN_LOCAL_WORKLOAD } from "./pod-context.ts";
import type { PodProxy } from "./pod-set.ts";

export interface PodProxyOptions {
  readonly pool: HbonePoolOptions;
  readonly server: HboneServerOptions;
  /** Absent: the DNS proxy is off. */
  readonly dns?:
    | { readonly port: number; readonly ipv6Enabled: boolean; readonly handler: DnsHandler }
    | undefined;
}

export interface RunningPodProxy extends PodProxy {
  readonly connections: ConnectionTable;
}

/** Opens all listeners or none: throws KERNEL when an address is taken, or Node does not take a listener over. */
export function startPodProxy(options: PodProxyOptions, context: PodContext): RunningPodProxy {
  const { ports, originalSource } = context.options;
  return startListening(context, (listeners) => {
    const pool = createHbonePool(options.pool, {
      clock: context.clock,
      certificate: context.certificate,
      dial: (destination, _sourceIp, signal) => dialTunnel(context, destination, signal),
      onInternalError: (error) => context.reportInternalError("tunnel", error),
    });
    listeners.open(ports.outbound, false, (socket) => acceptOutbound({ context, pool }, socket));
    const plaintext = { context, transparent: false };
    plaintext.transparent = listeners.open(ports.inboundPlaintext, originalSource !== "off", (socket) =>
      acceptPlaintext(plaintext, socket),
    );
    const server = openHboneListener(options.server, context, plaintext.transparent, listeners);
    if (options.dns !== undefined) {
      const { handler } = options.dns;
      const { sockets, logger } = context;
      listeners.add(startDnsServer(options.dns, { sockets, handler, logger }));
    }
    return { server, pool };
  });
}

/** Only the HBONE listener: what the proxy itself serves to the mesh, its metrics. */
export function startHboneProxy(options: HboneServerOptions, context: PodContext): RunningPodProxy {
  return startListening(context, (listeners) => ({
    server: openHboneListener(options, context, false, listeners),
  }));
}

/** Both drain once the listeners are closed; the pool last. */
interface PodTunnels {
  readonly server: HboneServer;
  readonly pool?: HbonePool;
}

function startListening(context: PodContext, open: (listeners: Listeners) => PodTunnels): RunningPodProxy {
  const listeners = new Listeners(context);
  let tunnels: PodTunnels;
  try {
    tunnels = open(listeners);
  } catch (error) {
    listeners.close();
    context.admission[Symbol.dispose]();
    throw error;
  }
  const { clock, connections, logger, options, revocation } = context;
  const { server, pool } = tunnels;
  const unfollow = [
    revocation.follow("client", server),
    context.lookups.keepPod(options.pod, options.place.clusterId),
  ];
  if (pool !== undefined) unfollow.push(revocation.follow("server", pool));
  const drained = Promise.withResolvers<void>();
  const finish = (cut: number): void => {
    context.admission[Symbol.dispose]();
    for (const stop of unfollow) stop();
    if (cut > 0)
      logger.warn("connections failed to drain within the timeout", { pod: options.pod.name, cut });
    drained.resolve();
  };
  const drainConnections = async (deadlineMs: number): Promise<{ readonly cut: number }> => {
    const untilMs = clock.monotonicMs() + deadlineMs;
    const rest = await connections.drain(deadlineMs);
    // Those that were accepted last may have needed a tunnel.
    await pool?.drain(Math.max(0, untilMs - clock.monotonicMs()));
    return rest;
  };
  return {
    connections,
    drain(deadlineMs) {
      // From here on the kernel gives new connections to another listener of the pod, if there is one.
      listeners.close();
      // A second drain with an earlier deadline ends both: whichever is first finishes for all.
      Promise.all([drainConnections(deadlineMs), server.drain(deadlineMs)])
        .then(([rest]) => finish(rest.cut))
        .catch(drained.reject);
      return drained.promise;
    },
  };
}

/**
 * A tunnel holds a place until it closes. Where there is none, those who wait for the tunnel are refused at once: they hold places
 * themselves, and might wait for one that only their own end frees.
 */
async function dialTunnel(
  context: PodContext,
  destination: SocketAddress,
  signal: AbortSignal,
): Promise<Socket> {
  const { localIp } = context.options;
  const source = localIp === undefined ? undefined : sourceFor(localIp, destination);
  const place = context.admission.take();
  if (place.kind === "refused") throw new MeshError("LIMIT_EXCEEDED", place.message);
  try {
    const socket = await context.sockets.dial(destination, { timeoutMs: CONNECT_TIMEOUT_MS, signal, source });
    socket.once("close", place.release);
    return socket;
  } catch (error) {
    place.release();
    throw error;
  }
}

function openHboneListener(
  options: HboneServerOptions,
  context: PodContext,
  transparent: boolean,
  listeners: Listeners,
): HboneServer {
  const { ports, originalSource } = context.options;
  const server = createHboneServer(options, {
    clock: context.clock,
    certificate: async () => {
      const workload = await localWorkload(context);
      if (workload === undefined) throw new MeshError("NOT_FOUND", UNKNOWN_LOCAL_WORKLOAD);
      return context.certificate(workloadIdentity(workload));
    },
    admission: context.admission,
    onRequest: (request) =>
      detach(
        () => acceptHboneRequest({ context, transparent }, request),
        (error) => {
          context.reportInternalError("connection", error);
          request.refuse(503);
        },
      ),
    onInternalError: (error) => context.reportInternalError("tunnel", error),
    onConnectionEnd: (end, from) => {
      if (end.kind !== "refused") return;
      const ip = parseIp(from.remoteAddress);
      const source = ip === undefined ? "unknown" : formatSocketAddress({ ip, port: from.remotePort });
      context.telemetry.refused(source, undefined, "inbound", end.detail);
    },
  });
  listeners.open(ports.inboundHbone, originalSource !== "off", (socket) => {
    socket.once("close", context.telemetry.socketOpened("destination"));
    server.accept(socket);
  });
  return server;
}

/** Listening sockets of one pod. */
class Listeners {
  readonly #context: PodContext;
  readonly #servers: { close(): void }[] = [];

  constructor(context: PodContext) {
    this.#context = context;
  }

  /** Returns whether the kernel granted a transparent socket. */
  open(port: number, wantsTransparent: boolean, accept: (socket: Socket) => unknown): boolean {
    const { sockets, options, logger, reportInternalError } = this.#context;
    const { fd, transparent } = sockets.listenTcp({ ip: options.listenIp, port }, wantsTransparent);
    // One connection that cannot be served must not end all others with the process.
    const serve = (socket: Socket): void =>
      detach(
        () => accept(socket),
        (error) => {
          socket.destroy();
          reportInternalError("connection", error);
        },
      );
    const onListenerError = (error: unknown): void =>
      logger.error("listener failed", { port, error: describeError(error) });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      serve(socket);
      try {
        acceptWaiting(server, fd, serve);
      } catch (error) {
        onListenerError(error);
      }
    });
    server.on("error", onListenerError);
    adoptListener(server, fd);
    this.add({
      close() {
        try {
          closeListener(server, fd, serve);
        } catch (error) {
          onListenerError(error);
        }
      },
    });
    return transparent;
  }

  add(server: { close(): void }): void {
    this.#servers.push(server);
  }

  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }
}
