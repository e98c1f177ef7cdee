/**
 * The mesh around the waypoint, `<first port>`: on the clients' side each connection to an entry is carried through a tunnel of its
 * own, as ztunnel does; on the applications' side tunnels end. Its CPU time is not the waypoint's. Its first message is for the waypoint.
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
} from "@meltemi/hbone";
import { createTlsContexts } from "@meltemi/identity";
import { createRelays, tcpChannel } from "@meltemi/l4";
import { type Identity, ip, parseSocketAddress } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createTestAuthority } from "@meltemi/testkit";
import { credentials } from "../l4/credentials.ts";
import { NAMESPACE, SERVICE_PORTS, SETTINGS, VIP } from "./configuration.ts";
import {
  ENDPOINT_HBONE_PORT,
  type NodeProxiesStarted,
  POD_ADDRESSES,
  WAYPOINT_HBONE_PORT,
} from "./hbone-messages.ts";
import { ENTRIES, type Entry, VERSIONS } from "./traffic.ts";

const firstPort = Number(process.argv[2]);
const LOCALHOST = ip("127.0.0.1");

const authority = createTestAuthority({ trustDomain: SETTINGS.trustDomain });
const identityOf = (serviceAccount: string): Identity => ({
  trustDomain: SETTINGS.trustDomain,
  namespace: NAMESPACE,
  serviceAccount,
});
const WAYPOINT = identityOf("waypoint");
const CLIENT = identityOf("productpage");
const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });

async function dial(to: { readonly ip: string; readonly port: number }): Promise<Socket> {
  const socket = connect({ host: to.ip, port: to.port, allowHalfOpen: true, noDelay: true });
  await once(socket, "connect");
  return socket;
}

async function listen(host: string, port: number, accept: (socket: Socket) => unknown): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept);
  await once(server.listen({ host, port, backlog: 4096 }), "listening");
  return server;
}

async function startEntries(): Promise<void> {
  const contexts = createTlsContexts(authority.issue(CLIENT));
  const pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock: systemClock,
    certificate: async () => contexts,
    dial,
  });
  const destination = { ip: LOCALHOST, port: WAYPOINT_HBONE_PORT };
  const key = { source: CLIENT, expected: [WAYPOINT], destination, sourceIp: LOCALHOST };
  const serve = async (socket: Socket, to: string): Promise<void> => {
    const outcome = await pool.openTunnel(key, { authority: to, headers: [] });
    if (outcome.kind === "open") relays.start(tcpChannel(socket), outcome.channel);
    else socket.destroy();
  };
  for (const entry of Object.keys(ENTRIES) as Entry[]) {
    const to = `${VIP}:${entry === "http2Both" ? SERVICE_PORTS.http2 : SERVICE_PORTS.http1}`;
    await listen(LOCALHOST, firstPort + ENTRIES[entry], (socket) => serve(socket, to));
  }
}

async function startEndpoints(): Promise<void> {
  for (const version of VERSIONS) {
    const contexts = createTlsContexts(authority.issue(identityOf(`reviews-${version}`)));
    const server = createHboneServer(
      { ...HBONE_SERVER_DEFAULTS, maxConnections: 1000 },
      {
        clock: systemClock,
        certificate: async () => contexts,
        onRequest: async (request) => {
          const port = parseSocketAddress(request.authority)?.port ?? 0;
          const socket = await dial({ ip: LOCALHOST, port });
          relays.start(request.accept([]), tcpChannel(socket));
        },
      },
    );
    await listen(POD_ADDRESSES[version], ENDPOINT_HBONE_PORT, (socket) => server.accept(socket));
  }
}

await startEndpoints();
await startEntries();
process.on("disconnect", () => process.exit(0));
process.send?.({ waypoint: credentials(authority, WAYPOINT) } satisfies NodeProxiesStarted);
