/** A real waypoint, `<file of its credentials> <routes>`: all of its parts, but that its configuration does not come over xDS. */

import { readFileSync } from "node:fs";
import { createCertificateManager } from "@meltemi/identity";
import { ip, type Service, type Workload } from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import type { WaypointXdsUpdate } from "@meltemi/xds";
import { readConfig } from "../../../components/waypoint/src/config.ts";
import { startWaypoint } from "../../../components/waypoint/src/waypoint.ts";
import { type Credentials, certificateOf } from "../l4/credentials.ts";
import {
  clusterName,
  clusterOf,
  httpRoutes,
  NAMESPACE,
  POLICY,
  REVIEWS,
  reviewsService,
  SERVICE_PORTS,
  SETTINGS,
  type SpokenUpstream,
  TELEMETRY,
  versionServices,
  versionWorkload,
} from "./configuration.ts";
import { ENDPOINT_HBONE_PORT, POD_ADDRESSES, WAYPOINT_HBONE_PORT } from "./hbone-messages.ts";
import { VERSIONS } from "./traffic.ts";

const [credentialsPath = "", routeCount = "0"] = process.argv.slice(2);
const credentials = JSON.parse(readFileSync(credentialsPath, "utf8")) as Credentials;

const UPSTREAMS = Object.keys(SERVICE_PORTS) as SpokenUpstream[];
const LISTEN_HOST = "127.0.0.1";

function address(item: Service | Workload): WaypointXdsUpdate {
  const value =
    "uid" in item
      ? ({ kind: "workload", workload: item } as const)
      : ({ kind: "service", service: item } as const);
  const name = "uid" in item ? item.uid : `${item.namespace}/${item.hostname}`;
  return { kind: "address", upserts: [{ name, value }], removedNames: [] };
}

/** What the control plane would send. */
function* updates(): Iterable<WaypointXdsUpdate> {
  yield address(reviewsService());
  for (const service of versionServices()) yield address(service);
  for (const version of VERSIONS)
    yield address(
      versionWorkload(version, { addresses: [ip(POD_ADDRESSES[version])], tunnelProtocol: "hbone" }),
    );
  yield {
    kind: "waypointSettings",
    upserts: [{ name: `${NAMESPACE}/waypoint`, value: SETTINGS }],
    removedNames: [],
  };
  const served = {
    ...REVIEWS,
    ports: UPSTREAMS.map((speaks) => ({
      port: SERVICE_PORTS[speaks],
      protocol: "http" as const,
      httpRoutes: httpRoutes(Number(routeCount), speaks),
      tcpRoutes: [],
      cluster: clusterName("v1", speaks),
    })),
    clusters: UPSTREAMS.flatMap((speaks) => VERSIONS.map((version) => clusterOf(version, speaks))),
    jwtRules: [],
    policies: [POLICY],
    rateLimits: [],
    telemetry: TELEMETRY,
  };
  const name = `${REVIEWS.namespace}/${REVIEWS.hostname}`;
  yield { kind: "servedService", upserts: [{ name, value: served }], removedNames: [] };
}

const config = readConfig(["proxy", "waypoint"], {
  POD_NAME: "waypoint-1",
  POD_NAMESPACE: NAMESPACE,
  SERVICE_ACCOUNT: credentials.identity.serviceAccount,
  INSTANCE_IP: LISTEN_HOST,
});
const filter = new LogFilter("warn");
const write = (line: string): void => void process.stderr.write(line);
await startWaypoint(
  {
    ...config,
    listenHost: LISTEN_HOST,
    hbone: { ...config.hbone, port: WAYPOINT_HBONE_PORT, endpointPort: ENDPOINT_HBONE_PORT },
    admin: { adminPort: 0, statsPort: 0, secondStatsPort: 0, readinessPort: 0 },
  },
  {
    clock: systemClock,
    random: Math.random,
    requestId: () => crypto.randomUUID(),
    logger: createLogger({ filter, format: "plain", nowMs: () => systemClock.nowMs(), write }, "waypoint"),
    filter,
    registry: createRegistry(),
    writeLine: write,
    certificates: createCertificateManager(
      {},
      { clock: systemClock, random: Math.random, fetch: async () => certificateOf(credentials) },
    ),
    caRoots: undefined,
    admission: { process: 2000, pod: 2000 },
    lookup: () => Promise.reject(new Error("no name is looked up here")),
    controlPlane: (onUpdate) => {
      setImmediate(() => {
        for (const update of updates()) onUpdate(update);
      });
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
