/** The engine of waypoints with 100 or more routes, a header match and a policy: `<first port> <routes>`. Plain TCP in and out. */

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createRelays, tcpChannel } from "@meltemi/l4";
import {
  buildFilters,
  compileRoutes,
  compileTcpRoutes,
  createHttpProxy,
  createPortServer,
  createTcpProxy,
  createTelemetry,
  type DialEndpoint,
  FilterMemory,
  HeldBytes,
  LiveCluster,
  type PortSite,
} from "@meltemi/l7";
import { applyAddressUpdates, EMPTY_SNAPSHOT, ip } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import {
  clusterOf,
  httpRoutes,
  POLICY,
  REVIEWS,
  SERVICE_PORTS,
  SETTINGS,
  type SpokenUpstream,
  TELEMETRY,
  VIP,
  versionServices,
  versionWorkload,
} from "./configuration.ts";
import { ENTRIES, type Entry, VERSIONS } from "./traffic.ts";

const [firstPort, routeCount] = process.argv.slice(2).map(Number);
if (firstPort === undefined || routeCount === undefined)
  throw new TypeError("expected <first port> <routes>");

const LOCALHOST = ip("127.0.0.1");
const NOWHERE = {
  locality: { region: "", zone: "", subzone: "" },
  network: "",
  clusterId: "",
  node: "",
  labels: {},
};
const IDENTITY = { trustDomain: SETTINGS.trustDomain, namespace: REVIEWS.namespace };
const failOn = (problem: unknown): never => {
  throw problem instanceof Error ? problem : new Error(String(problem));
};
const deps = { clock: systemClock, random: Math.random, onInternalError: failOn };

const snapshot = applyAddressUpdates(EMPTY_SNAPSHOT, [
  ...versionServices().map((service) => ({ kind: "service", service }) as const),
  ...VERSIONS.map((version) => {
    const workload = versionWorkload(version, { addresses: [LOCALHOST] });
    return { kind: "workload", workload } as const;
  }),
]);
const view = { snapshot, labels: new Map() };

const dial: DialEndpoint = async ({ port }) => {
  const socket = connect({ port, host: LOCALHOST, noDelay: true, allowHalfOpen: true });
  try {
    await once(socket, "connect");
    return { kind: "open", channel: tcpChannel(socket) };
  } catch (error) {
    return { kind: "failed", timedOut: false, detail: String(error) };
  }
};

const filters = buildFilters(
  {
    scope: `${REVIEWS.namespace}/${REVIEWS.hostname}`,
    jwtRules: [],
    policies: [POLICY],
    rateLimits: [],
    settings: SETTINGS,
    cluster: () => undefined,
  },
  { memory: new FilterMemory({ clock: systemClock }), onProblem: failOn },
);
const telemetry = createTelemetry({
  ...deps,
  registry: createRegistry(),
  writeAccessLog: failOn,
  postSpans: failOn,
  node: {
    name: "waypoint-1",
    namespace: REVIEWS.namespace,
    canonicalService: "waypoint",
    canonicalRevision: "latest",
    clusterId: "Kubernetes",
    meshId: SETTINGS.trustDomain,
  },
}).forService(TELEMETRY);

function siteOf(speaks: SpokenUpstream): PortSite {
  const clusters = VERSIONS.map(
    (version) =>
      new LiveCluster(clusterOf(version, speaks), {
        ...deps,
        dial,
        view: () => view,
        source: () => NOWHERE,
        onEjection: () => undefined,
      }),
  );
  const byName = new Map(clusters.map((cluster) => [cluster.config.name, cluster]));
  const [defaultCluster] = clusters;
  if (defaultCluster === undefined) throw new TypeError("no version");
  const common = { service: REVIEWS, defaultCluster, cluster: (name: string) => byName.get(name) };
  return {
    protocol: "http",
    http: {
      ...common,
      filters,
      routes: compileRoutes(httpRoutes(routeCount ?? 0, speaks)),
      defaultRetry: SETTINGS.defaultRetry,
      pathNormalization: SETTINGS.pathNormalization,
      forwardClientIdentity: SETTINGS.forwardClientIdentity,
      observer: telemetry.requests,
      tracer: telemetry.tracer,
    },
    tcp: {
      ...common,
      routes: compileTcpRoutes([]),
      authorize: () => undefined,
      observer: telemetry.connections,
    },
  };
}

const ports = createPortServer(
  { sniffTimeoutMs: 5000 },
  {
    ...deps,
    http: createHttpProxy({
      ...deps,
      heldBytes: new HeldBytes(64 * 1024 * 1024),
      requestId: () => crypto.randomUUID(),
      identity: { ...IDENTITY, serviceAccount: "waypoint" },
    }),
    tcp: createTcpProxy({
      ...deps,
      relays: createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock }),
    }),
    onRefused: (_status, detail) => failOn(detail),
  },
);

const CALLER = {
  ip: ip("10.0.1.1"),
  port: 40_000,
  identity: { ...IDENTITY, serviceAccount: "productpage" },
  workload: undefined,
  labels: { app: "productpage" },
};

async function listen(entry: Entry, site: PortSite): Promise<void> {
  const destination = { ip: VIP, port: SERVICE_PORTS.http1 };
  const facts = { caller: CALLER, destination, serverName: undefined };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
    ports.serve(tcpChannel(socket), facts, () => site),
  );
  const port = (firstPort ?? 0) + ENTRIES[entry];
  await once(server.listen({ port, host: LOCALHOST, backlog: 4096 }), "listening");
}

const http1 = siteOf("http1");
await listen("http1", http1);
await listen("http2", http1);
await listen("http2Both", siteOf("http2"));
