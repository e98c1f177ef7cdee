/** The waypoint, wired together from what it is given: nothing here reads the environment or the clock by itself. */

import { createTlsContextCache } from "@meltemi/identity";
import {
  type AdminServers,
  createInternalErrorReport,
  createPeerRevocation,
  createReadiness,
  createSnapshotStore,
  followRevocation,
  type Readiness,
  type SnapshotStore,
  startAdminServers,
  tellBuild,
} from "@meltemi/proxy-process";
import { delay, describeError } from "@meltemi/runtime";
import type { WaypointXdsUpdate, XdsClient } from "@meltemi/xds";
import { dumpConfig } from "./admin/dump-config.ts";
import type { WaypointConfig } from "./config.ts";
import { createDataPath } from "./data-path.ts";
import { type HboneListener, openHboneListener } from "./inbound/hbone-listener.ts";
import type { DataPath, WaypointDeps, WaypointParts } from "./parts.ts";
import { lingering } from "./world/linger.ts";
import { isSelfListed } from "./world/self.ts";
import { applyUpdate, EMPTY_WORLD, type WaypointWorld } from "./world/world.ts";

export interface Waypoint {
  readonly world: SnapshotStore<WaypointWorld>;
  readonly readiness: Readiness;
  readonly ports: Omit<AdminServers, "close">;
  /** Of the tunnels' listener; undefined until it is open. */
  readonly hbonePort: number | undefined;
  /** Drains and stops; a second call waits for the first. */
  shutdown(): Promise<void>;
  /** Resolves when stopped, rejects when something failed for good: the process then ends with 1. */
  readonly finished: Promise<void>;
}

/** Rejects when a port is taken; nothing is left open then. */
export async function startWaypoint(config: WaypointConfig, deps: WaypointDeps): Promise<Waypoint> {
  const { logger } = deps;
  const parts = makeParts(config, deps);
  const { world, self } = parts;
  const readiness = createReadiness();
  const listening = readiness.task("hbone listener");
  const dataPath = createDataPath(parts);
  const finished = Promise.withResolvers<void>();
  // Whoever starts us may only look at the end later.
  finished.promise.catch(() => undefined);

  let listener: HboneListener | undefined;
  let stopping: Promise<void> | undefined;
  const shutdown = (): Promise<void> => {
    stopping ??= stop().then(finished.resolve, finished.reject);
    return stopping;
  };
  const admin = await startAdmin(parts, readiness, dataPath.sites, () => void shutdown());
  const crl = followRevocation(config.hbone.crlPath, parts.revocation, readiness, deps);
  const xds = followControlPlane(parts, dataPath);
  const stop = async (): Promise<void> => {
    logger.info("shutdown: draining", { deadline_ms: config.drainDeadlineMs });
    readiness.task("shutdown");
    await drain(parts, dataPath, listener);
    await xds[Symbol.asyncDispose]();
    crl?.[Symbol.dispose]();
    await admin.close();
    logger.info("shutdown: done");
  };
  const fail = (error: unknown): void => {
    logger.error("waypoint failed", { error: describeError(error) });
    stopping ??= stop().finally(() => finished.reject(error));
  };
  // Open only once policies, revocation lists and the own certificate are there: before, what they forbid could not be forbidden.
  const open = async (): Promise<void> => {
    await Promise.all([untilKnown(parts, readiness, xds), crl?.ready]);
    if (stopping !== undefined) return;
    listener = await openHboneListener(parts, dataPath);
    logger.info("listening", { port: listener.port, identity: self.identity.serviceAccount });
    listening.done();
  };
  open().catch(fail);
  return {
    world,
    readiness,
    ports: admin,
    get hbonePort() {
      return listener?.port;
    },
    shutdown,
    finished: finished.promise,
  };
}

function makeParts(config: WaypointConfig, deps: WaypointDeps): WaypointParts {
  const { clock, registry, logger } = deps;
  const { pod, place, trustDomain } = config;
  tellBuild(registry, "proxy", config.log.buildTag);
  const identity = { trustDomain, namespace: pod.namespace, serviceAccount: pod.serviceAccount };
  const world = createSnapshotStore(EMPTY_WORLD, { clock });
  const revocation = createPeerRevocation({ registry, logger: logger.scope("crl") });
  const contexts = createTlsContextCache(
    config.hbone.compliancePolicy,
    revocation.isRevoked,
    () => world.current.settings?.trustDomainAliases ?? [],
  );
  return {
    config,
    deps,
    self: { pod, identity, place },
    world,
    revocation,
    certificate: async () => contexts(await deps.certificates.get(identity, "realtime")),
    reportInternalError: createInternalErrorReport({ registry, logger: logger.scope("proxy") }),
  };
}

function startAdmin(
  { config, deps, world }: WaypointParts,
  readiness: Readiness,
  sites: DataPath["sites"],
  quit: () => void,
): Promise<AdminServers> {
  const { logger, filter, registry, certificates } = deps;
  const dump = () => dumpConfig(config, { world: world.current, sites, certificates });
  return startAdminServers(
    { component: "waypoint", ...config.admin, host: config.listenHost, logFilter: config.log.filter },
    { logger, filter, registry, readiness, dump, quit },
  );
}

/** Starts the client of the control plane: what it sends is the world of the next request. */
function followControlPlane({ config, deps, world }: WaypointParts, { sites, server }: DataPath): XdsClient {
  const apply = (update: WaypointXdsUpdate): void => {
    const next = applyUpdate(world.current, update);
    sites.update(next);
    world.replace(next);
    if (update.kind === "servedService") server.drainUnserved();
    if (update.kind === "servedService" || update.kind === "waypointSettings") server.rejudge();
  };
  const follow = lingering(config.unboundLingerMs, apply, deps);
  const xds = deps.controlPlane((update) => {
    follow(update);
    return [];
  });
  xds.start();
  return xds;
}

/** Until the configuration and the own certificate are there. */
async function untilKnown(parts: WaypointParts, readiness: Readiness, xds: XdsClient): Promise<void> {
  const sync = readiness.task("control plane");
  const certificate = readiness.task("certificate");
  await Promise.all([
    xds.synced.then(() => sync.done()),
    untilCertificate(parts).then(() => certificate.done()),
  ]);
}

/** The CA may be away when we start: asked again until it answers. */
async function untilCertificate({ deps, self }: WaypointParts): Promise<void> {
  const { certificates } = deps;
  const rotated = new Promise<void>((resolve) => {
    const stop = certificates.onRotated(() => {
      stop();
      resolve();
    });
  });
  // What is refused now is tried again by the manager itself, which tells of every new certificate.
  await certificates.get(self.identity, "realtime").catch(() => rotated);
}

/** Ztunnels hear of a replica that leaves within this time, or the control plane is away. */
const UNLISTED_WAIT_MS = 5000;
/** The control plane tells everybody in the same moment; ztunnels may take a little longer than we do. */
const NOTICE_MS = 500;

/**
 * First nobody comes any more, then nobody is told to go elsewhere who could not, then everything ends as it does. In the end, what
 * is left after the deadline is cut.
 */
async function drain(
  { world, self, config, deps }: WaypointParts,
  { sites, server, relays, pool, telemetry }: DataPath,
  listener: HboneListener | undefined,
): Promise<void> {
  const { clock, logger } = deps;
  const untilMs = clock.monotonicMs() + config.drainDeadlineMs;
  const leftMs = (): number => Math.max(0, untilMs - clock.monotonicMs());
  if (listener !== undefined) {
    await world.waitFor(
      (now) => (isSelfListed(now, self) ? undefined : true),
      Math.min(UNLISTED_WAIT_MS, leftMs() / 2),
    );
    await delay(clock, Math.min(NOTICE_MS, leftMs() / 2));
    const [cutRequests, tunnels] = await Promise.all([server.drain(leftMs()), listener.drain(leftMs())]);
    const cut = cutRequests + tunnels.cutStreams;
    if (cut > 0) logger.warn("connections failed to drain within the timeout", { cut });
  }
  relays.abortAll("drain");
  relays[Symbol.dispose]();
  // Spans that wait are worth a moment, no more: the collector may be what is away.
  await Promise.race([telemetry.close(), delay(clock, Math.max(NOTICE_MS, leftMs() / 2))]);
  sites.drain();
  await pool.drain(Math.min(leftMs(), NOTICE_MS));
}
