/**
 * A waypoint in this process, between clients whose tunnels come from a real pool and endpoints that stand behind real HBONE servers.
 * Loopback addresses stand for pods; what the control plane would tell is told by the test. All else is real: sockets, TLS, HTTP.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
  type HbonePool,
  type HboneServer,
  type HeaderFields,
  type TunnelOutcome,
} from "@meltemi/hbone";
import { createCertificateManager, createTlsContexts } from "@meltemi/identity";
import { createRelays, type Relays, tcpChannel } from "@meltemi/l4";
import {
  type Identity,
  ip,
  newService,
  newWorkload,
  parseSocketAddress,
  type Service,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { type Cluster, newCluster, type ServedService, type WaypointSettings } from "@meltemi/model/l7";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import { createTestAuthority, eventually, type TestAuthority } from "@meltemi/testkit";
import type { WaypointXdsUpdate } from "@meltemi/xds";
import { readConfig } from "../../components/waypoint/src/config.ts";
import { startWaypoint, type Waypoint } from "../../components/waypoint/src/waypoint.ts";

export const CLIENT: Identity = {
  trustDomain: "cluster.local",
  namespace: "default",
  serviceAccount: "client",
};
export const WAYPOINT: Identity = { ...CLIENT, serviceAccount: "waypoint" };
const REVIEWS = { namespace: "default", hostname: "reviews.default.svc.cluster.local" };
const REVIEWS_KEY = `${REVIEWS.namespace}/${REVIEWS.hostname}`;
const VIP = "10.96.0.1";
const LOCALHOST = ip("127.0.0.1");
const TELEMETRY: ServedService["telemetry"] = {
  accessLog: { kind: "on", format: { kind: "text", text: "" } },
  metrics: [],
  tracing: { samplingPercent: 0, customTags: [] },
};

export function clusterOf(changes: Partial<Cluster> = {}): Cluster {
  return newCluster({
    name: "reviews",
    service: REVIEWS,
    port: 80,
    loadBalancer: { kind: "roundRobin" },
    ...changes,
  });
}

/** `reviews` with HTTP at port 80, whatever comes at 81, and bytes at 82. */
export function servedOf(changes: Partial<ServedService> = {}): ServedService {
  const ports = [
    { port: 80, protocol: "http" },
    { port: 81, protocol: "sniff" },
    { port: 82, protocol: "tcp" },
  ] as const;
  return {
    ...REVIEWS,
    ports: ports.map((port) => ({ ...port, httpRoutes: [], tcpRoutes: [], cluster: "reviews" })),
    clusters: [clusterOf()],
    jwtRules: [],
    policies: [],
    rateLimits: [],
    telemetry: { ...TELEMETRY, accessLog: { kind: "off" } },
    ...changes,
  };
}

function settingsOf(changes: Partial<WaypointSettings> = {}): WaypointSettings {
  return {
    trafficType: "all",
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    pathNormalization: "base",
    defaultRetry: {
      retries: 2,
      on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "reset-before-request"],
      statusCodes: [],
      backoffBaseMs: 25,
      backoffMaxMs: 250,
      avoidPreviousHosts: true,
      otherLocalities: false,
    },
    forwardClientIdentity: false,
    jwtRules: [],
    policies: [],
    rateLimits: [],
    telemetry: { ...TELEMETRY, accessLog: { kind: "off" } },
    authorizers: [],
    clusters: [],
    ...changes,
  };
}

/** One waypoint and its surroundings. */
export class Scene implements AsyncDisposable {
  readonly authority: TestAuthority = createTestAuthority();
  readonly registry: Registry = createRegistry();
  readonly lines: string[] = [];
  readonly #disposals: (() => unknown)[] = [];
  readonly #sockets = new Set<Socket>();
  readonly relays: Relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });
  /** Port of the HBONE servers at all endpoints. */
  endpointPort = 0;
  waypoint!: Waypoint;
  #tell: (update: WaypointXdsUpdate) => void = () => undefined;

  /** Serves `reviews` once its endpoints are put. */
  static async start(settings: Partial<WaypointSettings> = {}): Promise<Scene> {
    const scene = new Scene();
    const probe = await scene.listen("127.0.0.1", 0, () => undefined);
    scene.endpointPort = (probe.address() as AddressInfo).port;
    await new Promise((resolve) => probe.close(resolve));
    await scene.#startWaypoint();
    scene.put(
      newService({
        ...REVIEWS,
        name: "reviews",
        vips: [{ network: "", ip: ip(VIP) }],
        ports: [80, 81, 82].map((port) => ({ servicePort: port, targetPort: 0, appProtocol: "unknown" })),
      }),
    );
    scene.tell({
      kind: "waypointSettings",
      upserts: [{ name: "default/waypoint", value: settingsOf(settings) }],
      removedNames: [],
    });
    scene.serve(servedOf());
    return scene;
  }

  async #startWaypoint(): Promise<void> {
    const filter = new LogFilter("debug");
    const write = (line: string): void => void this.lines.push(line);
    const base = readConfig(["proxy", "waypoint"], {
      POD_NAME: "waypoint-1",
      POD_NAMESPACE: "default",
      SERVICE_ACCOUNT: "waypoint",
      INSTANCE_IP: "127.0.0.1",
      CONNECTION_TERMINATION_DEADLINE: "10s",
    });
    this.waypoint = await startWaypoint(
      {
        ...base,
        unboundLingerMs: 100,
        listenHost: "127.0.0.1",
        hbone: { ...base.hbone, port: 0, endpointPort: this.endpointPort },
        admin: { adminPort: 0, statsPort: 0, secondStatsPort: 0, readinessPort: 0 },
      },
      {
        clock: systemClock,
        random: Math.random,
        requestId: () => "the-request-id",
        logger: createLogger({ filter, format: "plain", nowMs: () => 0, write }, "waypoint"),
        filter,
        registry: this.registry,
        writeLine: write,
        certificates: createCertificateManager(
          {},
          {
            clock: systemClock,
            random: Math.random,
            fetch: async (identity) => this.authority.issue(identity),
          },
        ),
        caRoots: undefined,
        admission: { process: 1000, pod: 1000 },
        lookup: async () => [{ address: "127.0.1.9", family: 4 }],
        controlPlane: (onUpdate) => {
          this.#tell = onUpdate;
          return {
            start: () => undefined,
            synced: Promise.resolve(),
            connected: true,
            fetch: () => Promise.resolve(),
            renew: () => undefined,
            forget: () => undefined,
            heldCount: () => 0,
            [Symbol.asyncDispose]: () => Promise.resolve(),
          };
        },
      },
    );
    await eventually(() => this.waypoint.hbonePort !== undefined);
  }

  tell(update: WaypointXdsUpdate): void {
    this.#tell(update);
  }

  put(...items: readonly (Workload | Service)[]): void {
    const upserts = items.map((item) =>
      "uid" in item
        ? { name: item.uid, value: { kind: "workload", workload: item } as const }
        : {
            name: `${item.namespace}/${item.hostname}`,
            value: { kind: "service", service: item } as const,
          },
    );
    this.tell({ kind: "address", upserts, removedNames: [] });
  }

  serve(served: ServedService): void {
    const name = `${served.namespace}/${served.hostname}`;
    this.tell({ kind: "servedService", upserts: [{ name, value: served }], removedNames: [] });
  }

  /** An endpoint of `reviews` on `address`, whose every service port is `appPort`. */
  endpoint(name: string, address: string, appPort: number, given: Partial<Workload> = {}): Workload {
    return newWorkload({
      uid: `Kubernetes//Pod/default/${name}`,
      name,
      namespace: "default",
      serviceAccount: name,
      workloadName: name,
      addresses: [ip(address)],
      tunnelProtocol: "hbone",
      services: new Map([
        [
          REVIEWS_KEY,
          [80, 81, 82].map((port) => ({
            servicePort: port,
            targetPort: appPort,
            appProtocol: "unknown" as const,
          })),
        ],
      ]),
      ...given,
    });
  }

  /** The node proxy of a workload: an HBONE server that carries tunnels to the application. `callers` collects who came. */
  async nodeProxy(workload: Workload, presents: Identity = workloadIdentity(workload)): Promise<NodeProxy> {
    const contexts = createTlsContexts(this.authority.issue(presents));
    const callers: Identity[] = [];
    const server = createHboneServer(
      { ...HBONE_SERVER_DEFAULTS, maxConnections: 1000 },
      {
        clock: systemClock,
        certificate: async () => contexts,
        onRequest: (request) => {
          callers.push(request.peer.identity);
          const to = parseSocketAddress(request.authority);
          if (to === undefined) return request.refuse(400);
          const socket = connect({ host: to.ip, port: to.port, allowHalfOpen: true, noDelay: true });
          socket.once("error", () => request.refuse(503));
          socket.once("connect", () => this.relays.start(request.accept([]), tcpChannel(socket)));
        },
      },
    );
    await this.listen(workload.addresses[0] ?? LOCALHOST, this.endpointPort, (socket) =>
      server.accept(socket),
    );
    this.#disposals.push(() => server[Symbol.asyncDispose]());
    return { server, callers };
  }

  /** A pool as a client's node proxy has it. */
  pool(identity: Identity = CLIENT, authority: TestAuthority = this.authority): HbonePool {
    const contexts = createTlsContexts(
      authority.issue(identity, authority === this.authority ? {} : { trust: [this.authority] }),
    );
    const pool = createHbonePool(HBONE_POOL_DEFAULTS, {
      clock: systemClock,
      certificate: async () => contexts,
      dial: (to) =>
        new Promise((resolve, reject) => {
          const socket = connect({ host: to.ip, port: to.port, allowHalfOpen: true, noDelay: true });
          socket.once("error", reject);
          socket.once("connect", () => resolve(socket));
        }),
    });
    this.#disposals.push(() => pool[Symbol.asyncDispose]());
    return pool;
  }

  tunnel(pool: HbonePool, to: string, headers: HeaderFields = []): Promise<TunnelOutcome> {
    const destination = { ip: LOCALHOST, port: this.waypoint.hbonePort ?? 0 };
    const key = { source: CLIENT, expected: [WAYPOINT], destination, sourceIp: LOCALHOST };
    return pool.openTunnel(key, { authority: to, headers });
  }

  /** A local port: each connection to it is carried through a tunnel of its own towards `to`. */
  async entry(to: string, pool: HbonePool = this.pool()): Promise<number> {
    const server = await this.listen("127.0.0.1", 0, async (socket) => {
      const outcome = await this.tunnel(pool, to);
      if (outcome.kind === "open") this.relays.start(tcpChannel(socket), outcome.channel);
      else socket.destroy();
    });
    return (server.address() as AddressInfo).port;
  }

  async listen(host: string, port: number, accept: (socket: Socket) => unknown): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
      void accept(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    this.#disposals.push(() => {
      if (server.listening) server.close();
    });
    return server;
  }

  onDispose(end: () => unknown): void {
    this.#disposals.push(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#disposals.reverse()) await end();
    for (const socket of this.#sockets) socket.destroy();
    this.relays.abortAll("drain");
    await this.waypoint.shutdown();
    this.relays[Symbol.dispose]();
  }
}

export interface NodeProxy {
  readonly server: HboneServer;
  readonly callers: readonly Identity[];
}
