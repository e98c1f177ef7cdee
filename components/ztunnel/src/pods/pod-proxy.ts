/** The proxy of one pod: its listeners, its HBONE server and pool, its DNS. */

import { createServer, type Server, type Socket } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  type HbonePool,
  type HbonePoolOptions,
  type HboneServer,
  type HboneServerOptions,
} from "@meltemi/hbone";
import { workloadIdentity } from "@meltemi/model";
import { describeError, MeshError } from "@meltemi/runtime";
import type { DnsHandler } from "../dns/dns-handler.ts";
import { type DnsServer, startDnsServer } from "../dns/dns-server.ts";
import { acceptHboneRequest } from "../inbound/accept-hbone.ts";
import { acceptPlaintext } from "../inbound/accept-plaintext.ts";
import { acceptOutbound } from "../outbound/accept-outbound.ts";
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
  /** The pod's identity pool, for revocation and dumps. */
  readonly pool: HbonePool;
  readonly server: HboneServer;
}

/** Opens all listeners or none: throws KERNEL when an address is taken. */
export function startPodProxy(options: PodProxyOptions, context: PodContext): RunningPodProxy {
  const pool = createHbonePool(options.pool, {
    clock: context.clock,
    certificate: context.certificate,
    dial: (destination, _sourceIp, signal) => {
      const { localIp } = context.options;
      const source = localIp === undefined ? undefined : sourceFor(localIp, destination);
      return context.sockets.dial(destination, { timeoutMs: CONNECT_TIMEOUT_MS, signal, source });
    },
  });
  const listeners = new Listeners(context);
  try {
    const { transparent, server } = listen(options, context, pool, listeners);
    const dns =
      options.dns &&
      startDnsServer(options.dns, {
        sockets: context.sockets,
        handler: options.dns.handler,
        logger: context.logger,
      });
    context.logger.debug("pod proxy started", { pod: context.options.pod.name, transparent });
    return runningProxy(context, pool, server, listeners, dns);
  } catch (error) {
    listeners.close();
    context.admission[Symbol.dispose]();
    throw error;
  }
}

function listen(
  options: PodProxyOptions,
  context: PodContext,
  pool: HbonePool,
  listeners: Listeners,
): { readonly transparent: boolean; readonly server: HboneServer } {
  const { ports } = context.options;
  const wantsTransparent = context.options.originalSource !== "off";
  listeners.open(ports.outbound, false, (socket) => void acceptOutbound({ context, pool }, socket));
  const plaintext = { context, transparent: false };
  plaintext.transparent = listeners.open(
    ports.inboundPlaintext,
    wantsTransparent,
    (socket) => void acceptPlaintext(plaintext, socket),
  );
  const { transparent } = plaintext;
  const server = createHboneServer(options.server, {
    clock: context.clock,
    certificate: async () => {
      const workload = await localWorkload(context);
      if (workload === undefined) throw new MeshError("NOT_FOUND", UNKNOWN_LOCAL_WORKLOAD);
      return context.certificate(workloadIdentity(workload));
    },
    onRequest: (request) => void acceptHboneRequest({ context, transparent }, request),
    onConnectionEnd: (end, from) => {
      if (end.kind === "refused")
        context.telemetry.refused(
          `${from.remoteAddress}:${from.remotePort}`,
          undefined,
          "inbound",
          end.detail,
        );
    },
  });
  listeners.open(ports.inboundHbone, wantsTransparent, (socket) => {
    context.sockets.prepareAccepted(socket);
    server.accept(socket);
  });
  return { transparent, server };
}

function runningProxy(
  context: PodContext,
  pool: HbonePool,
  server: HboneServer,
  listeners: Listeners,
  dns: DnsServer | undefined,
): RunningPodProxy {
  return {
    connections: context.connections,
    pool,
    server,
    async drain(deadlineMs) {
      // From here on the kernel gives new connections to another listener of the pod, if there is one.
      listeners.close();
      dns?.close();
      const [rest] = await Promise.all([
        context.connections.drain(deadlineMs),
        server.drain(deadlineMs),
        pool.drain(deadlineMs),
      ]);
      context.admission[Symbol.dispose]();
      if (rest.cut > 0)
        context.logger.warn("connections failed to drain within the timeout", {
          pod: context.options.pod.name,
          cut: rest.cut,
        });
    },
  };
}

/** Listening sockets of one pod. */
class Listeners {
  readonly #context: PodContext;
  readonly #servers: Server[] = [];

  constructor(context: PodContext) {
    this.#context = context;
  }

  /** Returns whether the kernel granted a transparent socket. */
  open(port: number, wantsTransparent: boolean, accept: (socket: Socket) => void): boolean {
    const { sockets, options, logger } = this.#context;
    const { fd, transparent } = sockets.listenTcp({ ip: options.listenIp, port }, wantsTransparent);
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept);
    server.on("error", (error) => logger.error("listener failed", { port, error: describeError(error) }));
    server.listen({ fd });
    this.#servers.push(server);
    return transparent;
  }

  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }
}
