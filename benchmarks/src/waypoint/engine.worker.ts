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
import { applyAddressUpdates, EMPTY_SNAPSHOT, ip, newService, newWorkload, type Port } from "@meltemi/model";
import type { Cluster, HttpRoute, RequestPolicy } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import {
  APPLICATION_PORTS,
  ENTRIES,
  type Entry,
  GROUP,
  GROUP_HEADER,
  servicePrefixes,
  type Version,
} from "./traffic.ts";

const [firstPort, routeCount] = process.argv.slice(2).map(Number);
if (firstPort === undefined || routeCount === undefined)
  throw new TypeError("expected <first port> <routes>");

const NAMESPACE = "default";
const LOCALHOST = ip("127.0.0.1");
const WHOLE = { trustDomain: "cluster.local", namespace: NAMESPACE };
const NO_PLACE = { locality: { region: "", zone: "", subzone: "" }, network: "", clusterId: "", node: "" };

const hostnameOf = (version: Version): string => `reviews-${version}.${NAMESPACE}.svc.cluster.local`;
const deps = {
  clock: systemClock,
  random: Math.random,
  onInternalError: (error: unknown): void => {
    throw error;
  },
};

/** Both versions of the service, one workload each. */
const snapshot = applyAddressUpdates(
  EMPTY_SNAPSHOT,
  (["v1", "v2"] as const).flatMap((version) => {
    const ports: Port[] = [
      { servicePort: 80, targetPort: APPLICATION_PORTS[version], appProtocol: "http11" },
      { servicePort: 81, targetPort: APPLICATION_PORTS[`${version}Http2`], appProtocol: "http2" },
    ];
    const hostname = hostnameOf(version);
    const service = newService({ name: `reviews-${version}`, namespace: NAMESPACE, hostname, ports });
    const workload = newWorkload({
      uid: version,
      name: `reviews-${version}-1`,
      namespace: NAMESPACE,
      addresses: [LOCALHOST],
      services: new Map([[`${NAMESPACE}/${hostname}`, ports]]),
    });
    return [{ kind: "service", service } as const, { kind: "workload", workload } as const];
  }),
);
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

function clusterOf(version: Version, protocol: "http1" | "http2"): LiveCluster {
  const config: Cluster = {
    name: version,
    service: { namespace: NAMESPACE, hostname: hostnameOf(version) },
    port: protocol === "http2" ? 81 : 80,
    protocol,
    loadBalancer: { kind: "leastRequest" },
    connectionPool: {
      connectTimeoutMs: 5000,
      tcpIdleTimeoutMs: 3_600_000,
      maxRequestsPerConnection: 0,
      httpIdleTimeoutMs: 3_600_000,
    },
  };
  return new LiveCluster(config, {
    ...deps,
    dial,
    view: () => view,
    source: () => ({ ...NO_PLACE, labels: {} }),
    onEjection: () => undefined,
  });
}

const routeTo = (name: string, prefix: string, version: Version): HttpRoute => ({
  name,
  matches: [
    {
      path: { kind: "prefix", value: prefix },
      headers:
        version === "v2"
          ? [{ name: GROUP_HEADER, match: { kind: "exact", value: GROUP }, invert: false }]
          : [],
      queryParams: [],
    },
  ],
  action: {
    kind: "forward",
    targets: [{ target: { kind: "cluster", cluster: version }, weight: 1 }],
    mirrors: [],
  },
});

const routes = compileRoutes(
  servicePrefixes(routeCount).flatMap((prefix) => [
    routeTo(`${prefix} ${GROUP}`, prefix, "v2"),
    routeTo(prefix, prefix, "v1"),
  ]),
);

/** Who may: by method and path, as the peers ask. */
const POLICY: RequestPolicy = {
  namespace: NAMESPACE,
  name: "callers",
  action: "allow",
  dryRun: false,
  rules: [
    {
      from: [],
      to: [
        {
          hosts: [],
          notHosts: [],
          ports: [],
          notPorts: [],
          methods: ["GET", "POST"],
          notMethods: [],
          paths: ["/service-*"],
          notPaths: [],
        },
      ],
      when: [],
    },
  ],
};
const SERVICE = { namespace: NAMESPACE, hostname: `reviews.${NAMESPACE}.svc.cluster.local` };
const failOn = (problem: string): void => {
  throw new Error(problem);
};
const filters = buildFilters(
  {
    scope: `${SERVICE.namespace}/${SERVICE.hostname}`,
    jwtRules: [],
    policies: [POLICY],
    rateLimits: [],
    settings: { trustDomain: WHOLE.trustDomain, trustDomainAliases: [], authorizers: [] },
    cluster: () => undefined,
  },
  { memory: new FilterMemory({ clock: systemClock }), onProblem: failOn },
);
/** Metrics as waypoints have them; no access log and no spans, which the peers do not write either. */
const telemetry = createTelemetry({
  ...deps,
  registry: createRegistry(),
  writeAccessLog: () => undefined,
  postSpans: () => Promise.reject(new Error("nothing is traced here")),
  node: {
    name: "waypoint-1",
    namespace: NAMESPACE,
    canonicalService: "waypoint",
    canonicalRevision: "latest",
    clusterId: "Kubernetes",
    meshId: "cluster.local",
  },
}).forService({
  accessLog: { kind: "off" },
  metrics: [],
  tracing: { samplingPercent: 0, customTags: [] },
});

function siteOf(protocol: "http1" | "http2"): PortSite {
  const clusters = { v1: clusterOf("v1", protocol), v2: clusterOf("v2", protocol) };
  const byName = new Map(Object.entries(clusters));
  const defaultCluster = clusters.v1;
  return {
    protocol: "http",
    http: {
      service: SERVICE,
      filters,
      routes,
      defaultCluster,
      cluster: (name) => byName.get(name),
      // The mesh's default (reference: l7-and-cli §2.4).
      defaultRetry: {
        retries: 2,
        on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"],
        statusCodes: [503],
        backoffBaseMs: 25,
        backoffMaxMs: 250,
        avoidPreviousHosts: true,
        otherLocalities: false,
      },
      pathNormalization: "base",
      forwardClientIdentity: true,
      observer: telemetry.requests,
      tracer: telemetry.tracer,
    },
    tcp: {
      service: SERVICE,
      routes: compileTcpRoutes([]),
      defaultCluster,
      cluster: () => undefined,
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
      identity: { ...WHOLE, serviceAccount: "waypoint" },
    }),
    tcp: createTcpProxy({
      ...deps,
      relays: createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock }),
    }),
    onRefused: () => undefined,
  },
);

const CALLER = {
  ip: ip("10.0.1.1"),
  port: 40_000,
  identity: { ...WHOLE, serviceAccount: "productpage" },
  workload: undefined,
  labels: { app: "productpage" },
};

async function listen(entry: Entry, site: PortSite): Promise<void> {
  const facts = { caller: CALLER, destination: { ip: ip("10.96.0.1"), port: 80 }, serverName: undefined };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
    ports.serve(tcpChannel(socket), facts, () => site),
  );
  await once(
    server.listen({ port: (firstPort ?? 0) + ENTRIES[entry], host: LOCALHOST, backlog: 4096 }),
    "listening",
  );
}

const http1 = siteOf("http1");
await listen("http1", http1);
await listen("http2", http1);
await listen("http2Both", siteOf("http2"));
