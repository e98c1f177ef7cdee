/** What carries requests: sites with their clusters, the servers of HTTP and TCP, and the tunnels to endpoints. */

import { createHbonePool, HBONE_POOL_DEFAULTS } from "@meltemi/hbone";
import type { TlsContexts } from "@meltemi/identity";
import { createRelays } from "@meltemi/l4";
import {
  createHttpProxy,
  createPortServer,
  createTcpProxy,
  createTelemetry,
  FilterMemory,
  FilterMeter,
  HeldBytes,
  type LiveClusterDeps,
  RegexCache,
  type TelemetryNode,
} from "@meltemi/l7";
import { createHostnameResolver } from "@meltemi/proxy-process";
import { createRefusalLog } from "@meltemi/runtime";
import type { WaypointConfig } from "./config.ts";
import { connectTcp } from "./outbound/connect-tcp.ts";
import { createEndpointDialer } from "./outbound/dial-endpoint.ts";
import type { DataPath, WaypointParts } from "./parts.ts";
import { createSiteBook } from "./sites/site-book.ts";
import { createPostSpans } from "./telemetry/post-spans.ts";
import { selfWorkload } from "./world/self.ts";

/** Request bodies that are kept for another try, of all requests together: an eighth of Istio's memory limit for a waypoint. */
const HELD_BYTES = 128 * 1024 * 1024;
/** `protocolDetectionTimeout` is off by default (reference: l7-and-cli §1.10 item 3). */
const SNIFF_TIMEOUT_MS = 0;

export function createDataPath(parts: WaypointParts): DataPath {
  const { deps, self, reportInternalError } = parts;
  const { clock, random, logger } = deps;
  const onInternalError = (error: unknown): void => reportInternalError("connection", error);
  const { certificate } = parts;
  const pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock,
    dial: (destination, _sourceIp, signal) => connectTcp(destination, undefined, signal),
    certificate,
    onInternalError: (error) => reportInternalError("tunnel", error),
  });
  parts.revocation.follow("server", pool);
  const log = logger.scope("config");
  const telemetry = createTelemetry({
    clock,
    random,
    registry: deps.registry,
    writeAccessLog: deps.writeLine,
    postSpans: createPostSpans({ clock, cluster: (name) => sites.settingsCluster(name) }),
    node: telemetryNode(parts.config),
  });
  const sites = createSiteBook({
    clusters: { ...clusterDeps(parts, pool, certificate), onInternalError },
    regexes: new RegexCache(),
    memory: new FilterMemory({ clock, meter: filterMeter(parts) }),
    onProblem: (subject, problem) => log.warn("configuration without effect", { subject, problem }),
    telemetry,
  });
  // As Istio: no bound on silence unless a policy says so; HTTP/2 pings find peers that are gone.
  const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock, onInternalError });
  const server = createPortServer(
    { sniffTimeoutMs: SNIFF_TIMEOUT_MS },
    {
      clock,
      http: createHttpProxy({
        clock,
        random,
        heldBytes: new HeldBytes(HELD_BYTES),
        requestId: deps.requestId,
        identity: self.identity,
        onInternalError,
      }),
      tcp: createTcpProxy({ clock, random, relays, onInternalError }),
      onInternalError,
      onRefused: (status, detail) => logger.scope("http").debug("request refused", { status, detail }),
    },
  );
  return { sites, server, relays, pool, telemetry };
}

function filterMeter({ deps }: WaypointParts): FilterMeter {
  const { clock, logger, registry } = deps;
  const log = logger.scope("policy");
  // An authorizer that is away may let every request pass; the metrics count all of them.
  const bound = createRefusalLog({ monotonicMs: () => clock.monotonicMs() });
  return new FilterMeter({
    registry,
    onUnjudgedPass({ filter, name, why }) {
      const place = bound.admit();
      if (place.kind === "write")
        log.warn("passed without a verdict: failOpen", {
          filter,
          name,
          error: why,
          suppressed: place.suppressed || undefined,
        });
    },
  });
}

function telemetryNode({ pod, place, metadata }: WaypointConfig): TelemetryNode {
  const text = (name: string): string => (typeof metadata[name] === "string" ? metadata[name] : "");
  return {
    name: pod.name,
    namespace: pod.namespace,
    canonicalService: text("WORKLOAD_NAME") || pod.serviceAccount,
    canonicalRevision: "latest",
    clusterId: place.clusterId,
    meshId: text("MESH_ID"),
  };
}

function clusterDeps(
  { config, deps, self, world, revocation, reportInternalError }: WaypointParts,
  pool: DataPath["pool"],
  certificate: () => Promise<TlsContexts>,
): Omit<LiveClusterDeps, "onInternalError"> {
  const { clock, random, logger } = deps;
  const log = logger.scope("outlier");
  return {
    clock,
    random,
    dial: createEndpointDialer({
      clock,
      random,
      world: () => world.current,
      self,
      ownIp: config.place.ip,
      hbonePort: config.hbone.endpointPort,
      pool,
      certificate,
      revocation,
      resolver: createHostnameResolver({ clock, lookup: deps.lookup }),
      onInternalError: (error) => reportInternalError("tunnel", error),
    }),
    view: () => world.current,
    source: () => {
      const workload = selfWorkload(world.current, self);
      return { ...workload, labels: world.current.labels.get(workload.uid) ?? {} };
    },
    onEjection: (cluster, { uid, reason, untilMs }) =>
      log.warn("endpoint ejected", {
        cluster: cluster.name,
        endpoint: uid,
        reason,
        for_ms: Math.round(untilMs - clock.monotonicMs()),
      }),
  };
}
