/** The node proxy, wired together from what it is given: nothing here reads the environment or the clock by itself. */

import type { LookupAddress } from "node:dns";
import type { CertificateManager } from "@meltemi/identity";
import { createRelays, type Relays } from "@meltemi/l4";
import type { NetworkNamespace } from "@meltemi/linux";
import type { AddressChange, Ip, SocketAddress, WorkloadName } from "@meltemi/model";
import {
  type AdminServers,
  type AdmissionLimits,
  addressChanges,
  type CrlFile,
  createAdmission,
  createHostnameResolver,
  createInternalErrorReport,
  createMeshStore,
  createPeerRevocation,
  createReadiness,
  followAuthorities,
  followCrlFile,
  type MeshStore,
  type PeerRevocation,
  policyChanges,
  type Readiness,
  type ReportInternalError,
  startAdminServers,
} from "@meltemi/proxy-process";
import { type Clock, describeError, detach, type LogFilter, type Logger } from "@meltemi/runtime";
import { createAccessLog, type Registry } from "@meltemi/telemetry";
import type { XdsClient, XdsUpdate } from "@meltemi/xds";
import type { ZdsClient, ZdsHandler } from "@meltemi/zds";
import type { ZtunnelConfig } from "./config.ts";
import { dumpConfig } from "./dump-config.ts";
import { createCertificatePrefetch } from "./mesh/certificate-prefetch.ts";
import { staticChanges } from "./mesh/static-changes.ts";
import { createOnDemandDns } from "./outbound/on-demand-dns.ts";
import { createNodeAgentHandler, type ServedPods } from "./pods/node-agent.ts";
import { createPodFactory, type PodFactory } from "./pods/pod-factory.ts";
import type { RunningPodProxy } from "./pods/pod-proxy.ts";
import { createAuthorizer } from "./policy/authorize.ts";
import { createLiveConnections, type LiveConnections } from "./policy/live-connections.ts";
import type { PodSockets } from "./sockets/pod-sockets.ts";
import type { StaticConfig } from "./static-config.ts";
import { createConnectionTelemetry } from "./telemetry/connection-telemetry.ts";
import { createDnsMetrics } from "./telemetry/dns-metrics.ts";
import { createPodMetrics } from "./telemetry/pod-metrics.ts";

export interface ZtunnelDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly filter: LogFilter;
  readonly registry: Registry;
  readonly certificates: CertificateManager;
  /** PEM of the CA's roots, by which revocation lists are proven; absent when only the machine's own roots are trusted. */
  readonly caRoots?: (() => Promise<string>) | undefined;
  readonly admission: AdmissionLimits;
  readonly nameservers: readonly SocketAddress[];
  readonly lookup: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Sockets of a pod's namespace, or of our own when there is none. */
  readonly sockets: (namespace: NetworkNamespace | undefined) => PodSockets;
  /** Absent: no control plane; the static configuration is all. */
  readonly controlPlane?: ((onUpdate: (update: XdsUpdate) => readonly []) => XdsClient) | undefined;
  readonly staticConfig?: StaticConfig | undefined;
  /** Shared mode: who announces pods. */
  readonly nodeAgent?: ((handler: ZdsHandler) => ZdsClient) | undefined;
  /** Shared mode: our own pod, for the metrics over HBONE. */
  readonly self?: WorkloadName | undefined;
  /** Dedicated mode: the one workload, and where its listeners stand. */
  readonly dedicated?:
    | { readonly workload: WorkloadName; readonly listenIp?: Ip; readonly localIp?: Ip }
    | undefined;
  /** Address of the stats and readiness servers; default all. */
  readonly adminHost?: string | undefined;
}

export interface Ztunnel {
  readonly mesh: MeshStore;
  readonly readiness: Readiness;
  readonly ports: Omit<AdminServers, "close">;
  /** Drains and stops; a second call waits for the first. */
  shutdown(): Promise<void>;
  /** Resolves when stopped, rejects when something failed for good: the process then ends with 1. */
  readonly finished: Promise<void>;
}

/** Rejects when a port is taken or a listener cannot be opened; nothing is left open then. */
export async function startZtunnel(config: ZtunnelConfig, deps: ZtunnelDeps): Promise<Ztunnel> {
  const parts = makeParts(config, deps);
  const { readiness, mesh } = parts;
  const stateTask = readiness.task("state manager");
  const finished = Promise.withResolvers<void>();
  // Whoever starts us may only look at the end later.
  finished.promise.catch(() => undefined);

  let stopping: Promise<void> | undefined;
  const shutdown = (): Promise<void> => {
    stopping ??= stop().then(finished.resolve, finished.reject);
    return stopping;
  };
  const admin = await startAdminServers(
    { component: "ztunnel", ...config.admin, host: deps.adminHost ?? "::", logFilter: config.log.filter },
    {
      logger: deps.logger,
      filter: deps.filter,
      registry: deps.registry,
      readiness,
      dump: () =>
        dumpConfig(config, {
          mesh,
          certificates: deps.certificates,
          pods: parts.pods.list(),
          staticConfig: deps.staticConfig,
        }),
      quit: () => void shutdown(),
    },
  );
  const crlFile = startRevocation(config, deps, parts);
  const xds = startConfiguration(deps, parts, () => stateTask.done());
  const stop = async (): Promise<void> => {
    deps.logger.info("shutdown: draining", { deadline_ms: config.drainDeadlineMs });
    agentStop.abort();
    await parts.pods.close(config.drainDeadlineMs);
    await xds?.[Symbol.asyncDispose]();
    crlFile?.[Symbol.dispose]();
    parts.live[Symbol.dispose]();
    parts.relays[Symbol.dispose]();
    await admin.close();
    deps.logger.info("shutdown: done");
  };
  const agentStop = new AbortController();
  const fail = (error: unknown): void => {
    deps.logger.error("proxy failed", { error: describeError(error) });
    stopping ??= stop().finally(() => finished.reject(error));
  };
  // Listeners open once policies and revocation lists are known: before that, what they would forbid could not be forbidden.
  const open = (): void => startPods(deps, parts, admin.statsPort, agentStop.signal, fail);
  if (xds === undefined) {
    try {
      await crlFile?.ready;
      if (stopping === undefined) open();
    } catch (error) {
      await stop();
      throw error;
    }
  } else {
    void Promise.all([xds.synced, crlFile?.ready])
      .then(() => (stopping === undefined ? open() : undefined))
      .catch(fail);
  }
  return { mesh, readiness, ports: admin, shutdown, finished: finished.promise };
}

interface Parts {
  readonly mesh: MeshStore;
  readonly readiness: Readiness;
  readonly relays: Relays;
  readonly live: LiveConnections;
  readonly revocation: PeerRevocation;
  readonly pods: ServedPods;
  readonly factory: PodFactory;
  readonly follow: (update: XdsUpdate) => void;
  readonly followAddresses: (changes: readonly AddressChange[]) => void;
  readonly reportInternalError: ReportInternalError;
}

function makeParts(config: ZtunnelConfig, deps: ZtunnelDeps): Parts {
  const { clock, registry, logger, certificates } = deps;
  const reportInternalError = createInternalErrorReport({ registry, logger: logger.scope("proxy") });
  const mesh = createMeshStore({ clock });
  const accessLog = createAccessLog(logger);
  const logLevel = config.log.authorizationAtInfo ? "info" : "debug";
  const authorizer = createAuthorizer({ mesh, logger, logLevel });
  const live = createLiveConnections({ mesh, clock });
  // As Istio: no bound on silence; TCP keepalive and HTTP/2 pings find peers that are gone.
  const relays = createRelays(
    { idleTimeoutMs: 0, halfOpenTimeoutMs: 0 },
    { clock, onInternalError: (error) => reportInternalError("connection", error) },
  );
  const revocation = createPeerRevocation({ registry, logger: logger.scope("crl") });
  const factory = createPodFactory(config, {
    mesh,
    certificates,
    admission: createAdmission(deps.admission),
    relays,
    telemetry: createConnectionTelemetry({ registry, accessLog, monotonicMs: () => clock.monotonicMs() }),
    dnsMetrics: createDnsMetrics(registry),
    authorizer,
    live,
    revocation,
    resolver: createOnDemandDns({
      registry,
      resolver: createHostnameResolver({ clock, lookup: deps.lookup }),
    }),
    nameservers: deps.nameservers,
    clock,
    random: deps.random,
    logger: logger.scope("proxy"),
    reportInternalError,
  });
  registry
    .gauge({
      name: "istio_build",
      help: "Istio component build info",
      stable: true,
      labels: ["component", "tag"],
    })
    .labels({ component: "ztunnel", tag: config.log.buildTag })
    .set(1);
  const prefetch = createCertificatePrefetch({ node: config.node.nodeName }, { certificates });
  const readiness = createReadiness();
  const pods = createNodeAgentHandler({
    clock,
    logger: logger.scope("inpod"),
    metrics: createPodMetrics(registry),
    readiness: deps.nodeAgent === undefined ? undefined : readiness.task("workload proxy manager"),
    start: (pod, namespace): RunningPodProxy => factory.pod(pod, { sockets: deps.sockets(namespace) }),
    onInternalError: (error) => reportInternalError("pod", error),
  });
  const follow = (update: XdsUpdate): void => {
    if (update.kind === "authorization") mesh.applyPolicies(policyChanges(update));
    else followAddresses(addressChanges(update));
  };
  const followAddresses = (changes: readonly AddressChange[]): void => {
    mesh.applyAddresses(changes);
    prefetch.follow(changes);
  };
  return {
    mesh,
    readiness,
    relays,
    live,
    revocation,
    pods,
    factory,
    follow,
    followAddresses,
    reportInternalError,
  };
}

function startRevocation(config: ZtunnelConfig, deps: ZtunnelDeps, parts: Parts): CrlFile | undefined {
  const { crlPath } = config.hbone;
  if (crlPath === undefined) return undefined;
  const task = parts.readiness.task("revocation lists");
  const authorities = followAuthorities({ certificates: deps.certificates, readRoots: deps.caRoots });
  const file = followCrlFile(crlPath, {
    clock: deps.clock,
    logger: deps.logger.scope("crl"),
    registry: deps.registry,
    authorities: () => authorities.list(),
    onLists: (lists) => parts.revocation.replace(lists),
  });
  const ready = file.ready.then(() => task.done());
  return {
    ready,
    [Symbol.dispose]() {
      file[Symbol.dispose]();
      authorities[Symbol.dispose]();
    },
  };
}

/** Static configuration first, then the control plane's, if there is one. */
function startConfiguration(deps: ZtunnelDeps, parts: Parts, onSynced: () => void): XdsClient | undefined {
  const { staticConfig } = deps;
  if (staticConfig !== undefined) {
    parts.followAddresses(staticChanges(staticConfig));
    parts.mesh.applyPolicies(staticConfig.policies.map((policy) => ({ kind: "policy", policy })));
  }
  if (deps.controlPlane === undefined) {
    onSynced();
    return undefined;
  }
  const client = deps.controlPlane((update) => {
    parts.follow(update);
    return [];
  });
  client.start();
  detach(
    () => client.synced.then(onSynced),
    (error) => parts.reportInternalError("proxy", error),
  );
  return client;
}

function startPods(
  deps: ZtunnelDeps,
  parts: Parts,
  statsPort: number,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): void {
  if (deps.dedicated !== undefined) {
    const { workload, listenIp, localIp } = deps.dedicated;
    const task = parts.readiness.task("proxy");
    parts.pods.adopt(
      workload,
      parts.factory.pod(workload, { sockets: deps.sockets(undefined), listenIp, localIp }),
    );
    task.done();
  }
  if (deps.self !== undefined)
    parts.pods.adopt(
      deps.self,
      parts.factory.self(deps.self, { sockets: deps.sockets(undefined) }, statsPort),
    );
  // Rejects only when the agent does not speak our protocol: another try would end the same way.
  deps.nodeAgent?.(parts.pods.handler).run(signal).catch(onFailure);
}
