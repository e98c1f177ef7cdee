/** The listener of tunnels: one identity, the waypoint's own; who has no certificate of the mesh learns nothing. */

import { createServer, type Server, type Socket } from "node:net";
import { createHboneServer, HBONE_SERVER_DEFAULTS, type HboneServer } from "@meltemi/hbone";
import { createAdmission } from "@meltemi/proxy-process";
import { createRefusalLog, describeError, detach } from "@meltemi/runtime";
import type { DataPath, WaypointParts } from "../parts.ts";
import { acceptTunnel } from "./accept-tunnel.ts";
import { peerAddress } from "./peer-address.ts";

export interface HboneListener {
  readonly port: number;
  /** Takes no further connections, tells every peer to go elsewhere, and resolves when they have gone, or were cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
}

/** As ztunnel's: waiting clients beyond this are retried by their kernel. */
const LISTEN_BACKLOG = 1024;

export async function openHboneListener(parts: WaypointParts, dataPath: DataPath): Promise<HboneListener> {
  const { config, deps, revocation } = parts;
  const server = createTunnelServer(parts, dataPath);
  const unfollow = revocation.follow("client", server);
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
    accept(parts, server, socket),
  );
  await listen(listener, config.hbone.port, config.listenHost);
  listener.on("error", (error) =>
    deps.logger.error("listener failed", { port: config.hbone.port, error: describeError(error) }),
  );
  const address = listener.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : config.hbone.port,
    async drain(deadlineMs) {
      listener.close();
      try {
        return await server.drain(deadlineMs);
      } finally {
        unfollow();
      }
    },
  };
}

function createTunnelServer(parts: WaypointParts, { sites, server }: DataPath): HboneServer {
  const { deps, self, world, reportInternalError } = parts;
  const log = deps.logger.scope("hbone");
  const refusals = deps.registry.counter({
    name: "meltemi_waypoint_tunnels_refused",
    help: "Tunnels that were refused, by the status of the answer",
    labels: ["status"],
  });
  // One for both kinds: whoever scans ports must not drown what else is said.
  const refusalLog = createRefusalLog({ monotonicMs: () => deps.clock.monotonicMs() });
  const tunnelDeps = { world, self, sites, server, logger: log, refusals, refusalLog, waiting: 0 };
  return createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: deps.admission.process },
    {
      clock: deps.clock,
      certificate: parts.certificate,
      // Every connection here is the waypoint's own: it has the place of one pod that may take all.
      admission: createAdmission({ ...deps.admission, pod: deps.admission.process }).forPod(),
      onRequest: (request) =>
        detach(
          () => acceptTunnel(request, tunnelDeps),
          (error) => {
            reportInternalError("connection", error);
            request.refuse(503);
          },
        ),
      onInternalError: (error) => reportInternalError("tunnel", error),
      onConnectionEnd: (end, from) => {
        if (end.kind !== "refused") return;
        const place = refusalLog.admit();
        if (place.kind === "suppress") return;
        const source = peerAddress(from);
        const suppressed = place.suppressed || undefined;
        log.warn("connection failed", {
          "src.addr": source,
          stage: end.stage,
          error: end.detail,
          suppressed,
        });
      },
    },
  );
}

/** One connection that cannot be served must not end all others with the process. */
function accept({ reportInternalError }: WaypointParts, server: HboneServer, socket: Socket): void {
  detach(
    () => server.accept(socket),
    (error) => {
      socket.destroy();
      reportInternalError("connection", error);
    },
  );
}

function listen(listener: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ port, host, backlog: LISTEN_BACKLOG }, () => {
      listener.off("error", reject);
      resolve();
    });
  });
}
