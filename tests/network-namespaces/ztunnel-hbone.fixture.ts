/** HBONE by hand, from and in pods that ztunnel does not serve: clients that no proxy would be, and servers that stand for waypoints. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
  headerValues,
  type TunnelOutcome,
} from "@meltemi/hbone";
import { createTlsContexts } from "@meltemi/identity";
import { createRelays, tcpChannel } from "@meltemi/l4";
import { connectTcp, createTcpListener } from "@meltemi/linux";
import { type SocketAddress, type Workload, workloadIdentity } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import type { TestAuthority } from "@meltemi/testkit";
import type { MeshPod } from "./ztunnel-pod.fixture.ts";

/** Opens one tunnel from `pod`, as the identity of `source`, to the HBONE port of `server`, and lets go of it. */
export async function askTunnel(
  authority: TestAuthority,
  pod: MeshPod,
  source: Workload,
  server: MeshPod,
  connectTo: string,
): Promise<TunnelOutcome> {
  const certificate = createTlsContexts(authority.issue(workloadIdentity(source)));
  await using pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock: systemClock,
    certificate: () => certificate,
    dial: (destination, _sourceIp, signal) => connectTcp({ netns: pod.netns, destination }, signal),
  });
  const key = {
    source: workloadIdentity(source),
    expected: [workloadIdentity(server.workload)],
    destination: { ip: server.ipv4, port: 15008 },
    sourceIp: pod.ipv4,
  };
  const outcome = await pool.openTunnel(key, { authority: connectTo, headers: [] });
  if (outcome.kind === "open") outcome.channel.abort("drain");
  return outcome;
}

export interface HboneStandIn extends AsyncDisposable {
  /** What each CONNECT asked for. */
  readonly requests: readonly {
    readonly authority: string;
    readonly client: string;
    readonly forwardedNetwork: readonly string[];
  }[];
}

/**
 * An HBONE server of its own in `pod`, which ends the tunnels and passes what is in them to `forwardTo`: a waypoint that has an
 * application of its own, or a gateway.
 */
export async function startHboneStandIn(
  authority: TestAuthority,
  pod: MeshPod,
  forwardTo: SocketAddress,
): Promise<HboneStandIn> {
  const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });
  const requests: { authority: string; client: string; forwardedNetwork: readonly string[] }[] = [];
  const certificate = createTlsContexts(authority.issue(workloadIdentity(pod.workload)));
  const server = createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: 100 },
    {
      clock: systemClock,
      certificate: () => certificate,
      onRequest: (request) => {
        requests.push({
          authority: request.authority,
          client: request.peer.identity.serviceAccount,
          forwardedNetwork: headerValues(request.headers, "x-forwarded-network"),
        });
        connectTcp({ netns: pod.netns, destination: forwardTo }, request.abandoned).then(
          (socket) => relays.start(request.accept([]), tcpChannel(socket)),
          () => request.refuse(503),
        );
      },
    },
  );
  const { fd } = createTcpListener({ netns: pod.netns, address: { ip: "::", port: 15008 }, backlog: 128 });
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    server.accept(socket),
  );
  listener.listen({ fd });
  await once(listener, "listening");
  return {
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await server[Symbol.asyncDispose]();
      relays[Symbol.dispose]();
    },
  };
}

export const MARKER = "waypoint\n";

/** The application of a waypoint that only says that it was there. */
export function markAndEcho(socket: Socket): void {
  socket.write(MARKER);
  socket.pipe(socket);
}
