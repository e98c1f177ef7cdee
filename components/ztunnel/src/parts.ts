/** What a running node proxy is made of, and what its parts need of each other. */

import type { LookupAddress } from "node:dns";
import type { CertificateManager } from "@meltemi/identity";
import { createRelays, type Relays } from "@meltemi/l4";
import type { NetworkNamespace } from "@meltemi/linux";
import type { AddressChange, Ip, SocketAddress, WorkloadName } from "@meltemi/model";
import {
  type AdmissionLimits,
  addressChanges,
  createAdmission,
  createHostnameResolver,
  createInternalErrorReport,
  createMeshStore,
  createPeerRevocation,
  createReadiness,
  type MeshStore,
  type PeerRevocation,
  policyChanges,
  type Readiness,
  type ReportInternalError,
  tellBuild,
} from "@meltemi/proxy-process";
import type { Clock, LogFilter, Logger } from "@meltemi/runtime";
import { createAccessLog, type Registry } from "@meltemi/telemetry";
import type { XdsClient, XdsUpdate } from "@meltemi/xds";
import type { ZdsClient, ZdsHandler } from "@meltemi/zds";
import type { ZtunnelConfig } from "./config.ts";
import { createProcessLookups, type ProcessLookups } from "./lookup/process-lookups.ts";
import { createCertificatePrefetch } from "./mesh/certificate-prefetch.ts";
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

/** What the steps of its life need of each other. */
export interface ZtunnelParts {
  readonly mesh: MeshStore;
  readonly readiness: Readiness;
  readonly relays: Relays;
  readonly live: LiveConnections;
  readonly revocation: PeerRevocation;
  readonly pods: ServedPods;
  readonly factory: PodFactory;
  readonly follow: (update: XdsUpdate) => void;
  readonly followAddresses: (changes: readonly AddressChange[]) => void;
  readonly lookups: ProcessLookups;
  readonly reportInternalError: ReportInternalError;
}

export function makeParts(config: ZtunnelConfig, deps: ZtunnelDeps): ZtunnelParts {
  const { clock, registry, logger, certificates } = deps;
  const reportInternalError = createInternalErrorReport({ registry, logger: logger.scope("proxy") });
  const mesh = createMeshStore({ clock });
  const live = createLiveConnections({ mesh, clock });
  // As Istio: no bound on silence; TCP keepalive and HTTP/2 pings find peers that are gone.
  const relays = createRelays(
    { idleTimeoutMs: 0, halfOpenTimeoutMs: 0 },
    { clock, onInternalError: (error) => reportInternalError("connection", error) },
  );
  const revocation = createPeerRevocation({ registry, logger: logger.scope("crl") });
  const prefetch = createCertificatePrefetch({ node: config.node.nodeName }, { certificates });
  const followAddresses = (changes: readonly AddressChange[]): void => {
    mesh.applyAddresses(changes);
    prefetch.follow(changes);
  };
  const lookups = createProcessLookups(config, { ...deps, mesh, drop: followAddresses });
  const shared = { mesh, live, relays, revocation, lookups, reportInternalError };
  const factory = makePodFactory(config, deps, shared);
  tellBuild(registry, "ztunnel", config.log.buildTag);
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
  return { ...shared, readiness, pods, factory, follow, followAddresses };
}

type SharedParts = Pick<
  ZtunnelParts,
  "mesh" | "live" | "relays" | "revocation" | "lookups" | "reportInternalError"
>;

function makePodFactory(config: ZtunnelConfig, deps: ZtunnelDeps, shared: SharedParts): PodFactory {
  const { clock, registry, logger } = deps;
  const logLevel = config.log.authorizationAtInfo ? "info" : "debug";
  const accessLog = createAccessLog(logger);
  return createPodFactory(config, {
    ...shared,
    certificates: deps.certificates,
    admission: createAdmission(deps.admission),
    telemetry: createConnectionTelemetry({ registry, accessLog, monotonicMs: () => clock.monotonicMs() }),
    dnsMetrics: createDnsMetrics(registry),
    authorizer: createAuthorizer({ mesh: shared.mesh, logger, logLevel }),
    resolver: createOnDemandDns({
      registry,
      resolver: createHostnameResolver({ clock, lookup: deps.lookup }),
    }),
    nameservers: deps.nameservers,
    clock,
    random: deps.random,
    logger: logger.scope("proxy"),
  });
}
