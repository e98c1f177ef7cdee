/** Makes the proxy of a pod from what the process has. */

import { HBONE_POOL_DEFAULTS, HBONE_SERVER_DEFAULTS } from "@meltemi/hbone";
import { type CertificateManager, createTlsContextCache } from "@meltemi/identity";
import type { Relays } from "@meltemi/l4";
import type { Ip, SocketAddress, WorkloadName } from "@meltemi/model";
import type { Admission, MeshStore, PeerRevocation, ReportInternalError } from "@meltemi/proxy-process";
import type { Clock, Logger } from "@meltemi/runtime";
import type { ZtunnelConfig } from "../config.ts";
import { createDnsHandler } from "../dns/dns-handler.ts";
import { createForwarder, FORWARDER_DEFAULTS } from "../dns/forwarder.ts";
import type { Lookups } from "../lookup/lookups.ts";
import type { OnDemandDns } from "../outbound/on-demand-dns.ts";
import type { Authorizer } from "../policy/authorize.ts";
import type { LiveConnections } from "../policy/live-connections.ts";
import { anyAddress, type PodSockets } from "../sockets/pod-sockets.ts";
import type { ConnectionTelemetry } from "../telemetry/connection-telemetry.ts";
import type { DnsMetrics } from "../telemetry/dns-metrics.ts";
import { createConnectionTable } from "./connection-table.ts";
import type { PodContext } from "./pod-context.ts";
import { type RunningPodProxy, startHboneProxy, startPodProxy } from "./pod-proxy.ts";

export interface PodFactoryDeps {
  readonly mesh: MeshStore;
  readonly lookups: Lookups;
  readonly certificates: CertificateManager;
  readonly admission: Admission;
  readonly relays: Relays;
  readonly telemetry: ConnectionTelemetry;
  readonly dnsMetrics: DnsMetrics;
  readonly authorizer: Authorizer;
  readonly live: LiveConnections;
  readonly revocation: PeerRevocation;
  readonly resolver: OnDemandDns;
  readonly nameservers: readonly SocketAddress[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly reportInternalError: ReportInternalError;
}

/** Where the pod's listeners stand; in its own namespace it has all addresses for itself. */
interface PodPlace {
  readonly sockets: PodSockets;
  readonly listenIp?: Ip | undefined;
  readonly localIp?: Ip | undefined;
}

/** Peers of one pod: each node has a connection per identity that calls it. */
const MAX_HBONE_CONNECTIONS_PER_POD = 10_000;
/** Questions of one pod worked on at once; a busy resolver has some dozens. */
const MAX_DNS_QUESTIONS_PER_POD = 1024;

export interface PodFactory {
  pod(name: WorkloadName, place: PodPlace): RunningPodProxy;
  /** The proxy's own HBONE listener, for `port` of its own and nothing else. */
  self(name: WorkloadName, place: PodPlace, port: number): RunningPodProxy;
}

export function createPodFactory(config: ZtunnelConfig, deps: PodFactoryDeps): PodFactory {
  const { hbone, sockets: socketConfig, node } = config;
  const { admission } = deps;
  const contextsOf = createTlsContextCache(hbone.compliancePolicy, deps.revocation.isRevoked);
  const windows = {
    streamWindowBytes: hbone.streamWindowBytes,
    connectionWindowBytes: hbone.connectionWindowBytes,
    maxFrameBytes: hbone.maxFrameBytes,
  };
  const contextOf = (pod: WorkloadName, place: PodPlace, onlyPort: number | undefined): PodContext => ({
    options: {
      pod,
      place: { node: node.nodeName, clusterId: node.clusterId },
      network: node.network,
      ports: config.ports,
      listenIp: place.listenIp ?? anyAddress(socketConfig.ipv6Enabled),
      localIp: place.localIp,
      onlyPort,
      originalSource: socketConfig.originalSource,
      responseBaggage: hbone.responseBaggage,
      localhostApplicationTunnel: hbone.localhostApplicationTunnel,
    },
    sockets: place.sockets,
    mesh: deps.mesh,
    lookups: deps.lookups,
    admission: admission.forPod(),
    connections: createConnectionTable({ clock: deps.clock }),
    relays: deps.relays,
    telemetry: deps.telemetry.forPod(),
    authorizer: deps.authorizer,
    live: deps.live,
    revocation: deps.revocation,
    resolver: deps.resolver,
    certificate: async (identity) => contextsOf(await deps.certificates.get(identity, "realtime")),
    clock: deps.clock,
    random: deps.random,
    logger: deps.logger,
    reportInternalError: (part, error) => deps.reportInternalError(part, error, pod.name),
  });
  const server = { ...HBONE_SERVER_DEFAULTS, ...windows, maxConnections: MAX_HBONE_CONNECTIONS_PER_POD };
  const pool = {
    ...HBONE_POOL_DEFAULTS,
    ...windows,
    maxStreams: hbone.poolMaxStreams,
    unusedReleaseMs: hbone.poolUnusedReleaseMs,
  };
  return {
    pod: (name, place) => {
      const dns = config.dns.enabled ? dnsOf(config, deps, name, place.sockets) : undefined;
      return startPodProxy({ pool, server, dns }, contextOf(name, place, undefined));
    },
    self: (name, place, port) => startHboneProxy(server, contextOf(name, place, port)),
  };
}

function dnsOf(config: ZtunnelConfig, deps: PodFactoryDeps, pod: WorkloadName, sockets: PodSockets) {
  const { ipv6Enabled } = config.sockets;
  const handler = createDnsHandler(
    {
      pod,
      place: { node: config.node.nodeName, clusterId: config.node.clusterId },
      clusterDomain: config.node.clusterDomain,
      preferredNamespace: config.dns.preferredNamespace,
      ipv6Enabled,
      workloadWaitMs: 5000,
      controlPlaneAddress: config.xds.address,
      maxConcurrent: MAX_DNS_QUESTIONS_PER_POD,
    },
    {
      mesh: deps.mesh,
      forwarder: createForwarder({ ...FORWARDER_DEFAULTS, nameservers: deps.nameservers }, { sockets }),
      metrics: deps.dnsMetrics,
      random: deps.random,
      monotonicMs: () => deps.clock.monotonicMs(),
      logger: deps.logger,
    },
  );
  return { port: config.dns.port, ipv6Enabled, handler };
}
