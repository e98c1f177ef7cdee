/** A port on real sockets on loopback: the proxy, and servers of Node behind it. */

import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { after, before } from "node:test";
import { createRelays, tcpChannel } from "@meltemi/l4";
import { applyAddressUpdates, EMPTY_SNAPSHOT, ip, newService, newWorkload, type Port } from "@meltemi/model";
import { type Cluster, type HttpRoute, newCluster, type ServedProtocol } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { HeldBytes } from "../proxy/held-body.ts";
import { createHttpProxy } from "../proxy/http-proxy.ts";
import type { RequestRecord } from "../proxy/request-record.ts";
import type { RequestFilter } from "../request-context.ts";
import { compileRoutes } from "../routing/route-table.ts";
import { createTcpProxy } from "../tcp/tcp-proxy.ts";
import { compileTcpRoutes } from "../tcp/tcp-routes.ts";
import type { TcpRecord } from "../tcp/tcp-site.ts";
import { LiveCluster } from "../upstream/live-cluster.ts";
import { createPortServer, type PortSite } from "./port-server.ts";

const servers: { close(): unknown }[] = [];
/** What servers accepted: a server of Node waits at its end for connections on which nothing was ever asked, as pools keep them. */
const accepted: Socket[] = [];
after(() => {
  for (const server of servers) server.close();
  for (const socket of accepted) socket.destroy();
});

export async function listen(server: Server): Promise<number> {
  server.on("connection", (socket) => accepted.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

/** Emits what the client says to a service that has ended its side of an upgraded stream. */
export const halfClosed: EventEmitter = new EventEmitter();
/** Ports; a test may put a server of its own there. */
export const backends = { http1: 0, http2: 0, tcp: 0, closed: 1, own: 1 };
before(async () => {
  backends.http1 = await listen(
    createServer((incoming, response) => {
      if (incoming.url === "/crash") return void incoming.socket.destroy();
      response.setHeader("x-seen", `${incoming.method} ${incoming.url} ${incoming.headers.host}`);
      response.setHeader("x-request-id", incoming.headers["x-request-id"] ?? "none");
      incoming.pipe(response);
    }).on("upgrade", (incoming, socket) => {
      // What is cut is reset.
      socket.on("error", () => undefined);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      if (incoming.url !== "/half-close") return void socket.pipe(socket);
      (socket as Socket).allowHalfOpen = true;
      socket.end();
      socket.on("data", (bytes) => halfClosed.emit("said", bytes));
      return undefined;
    }),
  );
  const http2 = createHttp2Server();
  http2.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200, "x-path": headers[":path"] ?? "" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  backends.http2 = await listen(http2 as unknown as Server);
  backends.tcp = await listen(
    createTcpServer((socket) => void socket.on("error", () => undefined).pipe(socket)),
  );
});

export interface Bench {
  readonly port: number;
  readonly requests: RequestRecord[];
  readonly connections: TcpRecord[];
  readonly errors: unknown[];
  readonly drain: () => Promise<number>;
  /** Configures the port anew; undefined: it is served no more. */
  readonly change: (tcp: Partial<PortSite["tcp"]> | undefined, http?: Partial<PortSite["http"]>) => void;
}

export async function serve(
  protocol: ServedProtocol,
  backend: keyof typeof backends,
  upstreamProtocol: Cluster["protocol"],
  routes?: readonly HttpRoute[],
  filters: readonly RequestFilter[] = [],
): Promise<Bench> {
  const service = { namespace: "default", hostname: "reviews.default.svc.cluster.local" };
  const served: Port = { servicePort: 80, targetPort: backends[backend], appProtocol: "unknown" };
  const snapshot = applyAddressUpdates(EMPTY_SNAPSHOT, [
    { kind: "service", service: newService({ name: "reviews", ports: [served], ...service }) },
    {
      kind: "workload",
      workload: newWorkload({
        uid: "uid",
        name: "reviews-1",
        namespace: "default",
        addresses: [ip("127.0.0.1")],
        services: new Map([["default/reviews.default.svc.cluster.local", [served]]]),
      }),
    },
  ]);
  const errors: unknown[] = [];
  const onInternalError = (error: unknown): void => void errors.push(error);
  const cluster = new LiveCluster(
    newCluster({ name: "reviews", service, port: 80, protocol: upstreamProtocol }),
    {
      clock: systemClock,
      random: Math.random,
      view: () => ({ snapshot, labels: new Map() }),
      source: () => ({
        locality: { region: "", zone: "", subzone: "" },
        network: "",
        clusterId: "",
        node: "",
        labels: {},
      }),
      dial: async ({ port }) => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
        try {
          await once(socket, "connect");
          return { kind: "open", channel: tcpChannel(socket) };
        } catch (error) {
          return { kind: "failed", timedOut: false, detail: String(error) };
        }
      },
      onInternalError,
      onEjection: () => undefined,
    },
  );
  const requests: RequestRecord[] = [];
  const connections: TcpRecord[] = [];
  const site: PortSite = {
    protocol,
    http: {
      service,
      filters,
      routes: routes && compileRoutes(routes),
      defaultCluster: cluster,
      cluster: (name) => (name === "reviews" ? cluster : undefined),
      defaultRetry: {
        retries: 2,
        on: ["connect-failure"],
        statusCodes: [],
        backoffBaseMs: 1,
        backoffMaxMs: 2,
        avoidPreviousHosts: true,
        otherLocalities: false,
      },
      pathNormalization: "base",
      forwardClientIdentity: false,
      observer: { onComplete: (record) => void requests.push(record) },
    },
    tcp: {
      service,
      routes: compileTcpRoutes([]),
      defaultCluster: cluster,
      cluster: () => undefined,
      authorize: () => undefined,
      observer: { onOpened: () => undefined, onComplete: (record) => void connections.push(record) },
    },
  };
  const deps = { clock: systemClock, random: Math.random, onInternalError };
  const ports = createPortServer(
    { sniffTimeoutMs: 0 },
    {
      ...deps,
      http: createHttpProxy({
        ...deps,
        heldBytes: new HeldBytes(1024 * 1024),
        requestId: () => "id-of-the-proxy",
        identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "waypoint" },
      }),
      tcp: createTcpProxy({
        ...deps,
        relays: createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock }),
      }),
      onRefused: () => undefined,
    },
  );
  let current: PortSite | undefined = site;
  const caller = { ip: ip("10.0.1.1"), port: 40_000, identity: undefined, workload: undefined, labels: {} };
  const port = await listen(
    createTcpServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
      ports.serve(
        tcpChannel(socket),
        { caller, destination: { ip: ip("10.96.0.1"), port: 80 }, serverName: undefined },
        () => current,
      ),
    ),
  );
  return {
    port,
    requests,
    connections,
    errors,
    drain: () => ports.drain(5000),
    change: (tcp, http) => {
      current = tcp && { ...site, tcp: { ...site.tcp, ...tcp }, http: { ...site.http, ...http } };
      ports.rejudge();
    },
  };
}
