/**
 * Configuration of ztunnel from its environment, under Istio's names (reference: protocol §8.3). All faults are reported
 * together, each naming its variable; nothing is half configured.
 */

import type { WorkloadName } from "@meltemi/model";
import {
  type ControlPlaneConfig,
  DEFAULT_CONTROL_PLANE,
  DEFAULT_TOKEN_PATH,
  type LogConfig,
  readControlPlane,
  readDrainDeadlineMs,
  readLogConfig,
  readMetadata,
} from "@meltemi/proxy-process";
import { type Environment, EnvironmentReader, MeshError } from "@meltemi/runtime";
import { ISTIO_PORTS, type ProxyPorts } from "./ports.ts";

export interface ZtunnelConfig {
  readonly node: NodeConfig;
  readonly mode: ModeConfig;
  readonly xds: ControlPlaneConfig & {
    /** Workloads and services are asked for when a connection is about them; otherwise all are told. */
    readonly onDemand: boolean;
  };
  readonly ca: ControlPlaneConfig & { readonly certificateTtlMs: number };
  /** Path of the token file, or the token itself. */
  readonly authToken: string;
  readonly localXds: LocalXdsConfig | undefined;
  readonly ports: ProxyPorts;
  readonly hbone: HboneConfig;
  readonly sockets: SocketConfig;
  readonly dns: DnsConfig;
  readonly admin: AdminConfig;
  readonly log: ZtunnelLogConfig;
  /** How long open connections may go on after a shutdown began. */
  readonly drainDeadlineMs: number;
  /** `ISTIO_META_*` without the prefix, `ISTIO_METAJSON_*` merged over it. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface NodeConfig {
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly instanceIp: string;
  readonly network: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
}

type ModeConfig =
  /** One proxy for all enrolled pods of the node, which the node agent announces over this socket. */
  | { readonly kind: "shared"; readonly nodeAgentSocket: string; readonly packetMark: number }
  /** A proxy for one workload, in the proxy's own namespace. */
  | {
      readonly kind: "dedicated";
      readonly workload: WorkloadName;
      /** Undefined: unmarked, for a redirection that tells our connections from the workload's by something else. */
      readonly packetMark: number | undefined;
    };

type LocalXdsConfig =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "inline"; readonly yaml: string };

interface HboneConfig {
  readonly poolMaxStreams: number;
  readonly poolUnusedReleaseMs: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
  readonly responseBaggage: boolean;
  readonly localhostApplicationTunnel: boolean;
  readonly compliancePolicy: "none" | "pqc";
  /** File of revocation lists; undefined: nobody is revoked. */
  readonly crlPath: string | undefined;
}

interface SocketConfig {
  readonly keepAlive:
    | { readonly idleSeconds: number; readonly intervalSeconds: number; readonly probes: number }
    | undefined;
  readonly userTimeoutMs: number | undefined;
  readonly ipv6Enabled: boolean;
  readonly portReuse: boolean;
  /** Connect to the application with the client's address: always, never, or when the kernel permits. */
  readonly originalSource: "required" | "off" | "bestEffort";
}

interface DnsConfig {
  readonly enabled: boolean;
  readonly port: number;
  readonly preferredNamespace: string | undefined;
}

interface AdminConfig {
  readonly adminPort: number;
  readonly statsPort: number;
  readonly readinessPort: number;
}

interface ZtunnelLogConfig extends LogConfig {
  readonly authorizationAtInfo: boolean;
  /** Version shown as `istio_build{tag}`. */
  readonly buildTag: string;
}

/** Throws CONFIG_INVALID with every fault. */
export function readConfig(env: Environment): ZtunnelConfig {
  const reader = new EnvironmentReader(env);
  const node = readNode(reader);
  const config: ZtunnelConfig = {
    node,
    mode: readMode(reader),
    xds: {
      ...readControlPlane(reader, "XDS", DEFAULT_CONTROL_PLANE),
      onDemand: reader.flag("XDS_ON_DEMAND", false),
    },
    ca: {
      ...readControlPlane(reader, "CA", reader.text("XDS_ADDRESS", DEFAULT_CONTROL_PLANE)),
      certificateTtlMs: reader.durationMs("SECRET_TTL", 24 * 3_600_000),
    },
    authToken: reader.text("AUTH_TOKEN", DEFAULT_TOKEN_PATH),
    localXds: readLocalXds(reader),
    ports: ISTIO_PORTS,
    hbone: readHbone(reader),
    sockets: readSockets(reader),
    dns: readDns(reader),
    admin: { adminPort: 15000, statsPort: 15020, readinessPort: 15021 },
    log: readLog(reader),
    drainDeadlineMs: readDrainDeadlineMs(reader, DEFAULT_DRAIN_DEADLINE_MS),
    metadata: readMetadata(reader),
  };
  // As Istio: a name is not enough to ask by, its namespace is missing.
  if (config.xds.onDemand && config.dns.enabled)
    reader.problems.push(
      "XDS_ON_DEMAND: expected ISTIO_META_DNS_CAPTURE=false with it; the DNS proxy must know all services",
    );
  if (reader.problems.length > 0)
    throw new MeshError("CONFIG_INVALID", `read environment: ${reader.problems.join("; ")}`);
  return config;
}

const DEFAULT_DRAIN_DEADLINE_MS = 5000;

function readNode(reader: EnvironmentReader): NodeConfig {
  return {
    podName: reader.text("POD_NAME", ""),
    podNamespace: reader.text("POD_NAMESPACE", ""),
    serviceAccount: reader.text("SERVICE_ACCOUNT", ""),
    nodeName: reader.text("NODE_NAME", ""),
    instanceIp: reader.optionalText("INSTANCE_IP") ?? "1.1.1.1",
    network: reader.text("NETWORK", ""),
    clusterId:
      reader.optionalText("CLUSTER_ID") ?? reader.optionalText("ISTIO_META_CLUSTER_ID") ?? "Kubernetes",
    clusterDomain: reader.optionalText("CLUSTER_DOMAIN") ?? "cluster.local",
    trustDomain: reader.optionalText("TRUST_DOMAIN") ?? "cluster.local",
  };
}

function readMode(reader: EnvironmentReader): ModeConfig {
  const shared = reader.oneOf("PROXY_MODE", ["shared", "dedicated"], "shared") === "shared";
  const packetMark = reader.integer("PACKET_MARK", 1337, 1, 2 ** 32 - 1);
  if (shared) {
    const nodeAgentSocket = reader.optionalText("INPOD_UDS") ?? "/var/run/ztunnel/ztunnel.sock";
    return { kind: "shared", nodeAgentSocket, packetMark };
  }
  const text = reader.requiredText("PROXY_WORKLOAD_INFO", "namespace/name/service-account");
  const [namespace = "", name = "", serviceAccount = "", ...more] = text.split("/");
  if (text !== "" && (namespace === "" || name === "" || serviceAccount === "" || more.length > 0))
    reader.problems.push(
      `PROXY_WORKLOAD_INFO: expected namespace/name/service-account, got ${JSON.stringify(text)}`,
    );
  const marked = reader.optionalText("PACKET_MARK") !== undefined;
  return {
    kind: "dedicated",
    workload: { namespace, name, serviceAccount },
    packetMark: marked ? packetMark : undefined,
  };
}

function readLocalXds(reader: EnvironmentReader): LocalXdsConfig | undefined {
  const path = reader.optionalText("LOCAL_XDS_PATH");
  const yaml = reader.optionalText("LOCAL_XDS");
  if (path !== undefined && yaml !== undefined)
    reader.problems.push("LOCAL_XDS: expected nothing beside LOCAL_XDS_PATH; give one of the two");
  if (path !== undefined) return { kind: "file", path };
  return yaml === undefined ? undefined : { kind: "inline", yaml };
}

function readHbone(reader: EnvironmentReader): HboneConfig {
  if (reader.flag("TLS12_ENABLED", false))
    reader.problems.push("TLS12_ENABLED: expected false; this proxy speaks TLS 1.3 only");
  const policy = reader.optionalText("COMPLIANCE_POLICY");
  if (policy !== undefined && policy !== "pqc")
    reader.problems.push(`COMPLIANCE_POLICY: expected pqc or nothing, got ${JSON.stringify(policy)}`);
  return {
    poolMaxStreams: reader.integer("POOL_MAX_STREAMS_PER_CONNECTION", 100, 1, 65_535),
    poolUnusedReleaseMs: reader.durationMs("POOL_UNUSED_RELEASE_TIMEOUT", 5 * 60_000),
    // RFC 9113 §6.9.1 and §6.5.2 bound windows and frames.
    streamWindowBytes: reader.integer("HTTP2_STREAM_WINDOW_SIZE", 4 * MIB, 65_535, 2 ** 31 - 1),
    connectionWindowBytes: reader.integer("HTTP2_CONNECTION_WINDOW_SIZE", 16 * MIB, 65_535, 2 ** 31 - 1),
    maxFrameBytes: reader.integer("HTTP2_FRAME_SIZE", MIB, 16_384, 2 ** 24 - 1),
    responseBaggage: reader.flag("ENABLE_RESPONSE_BAGGAGE", true),
    localhostApplicationTunnel: reader.flag("LOCALHOST_APP_TUNNEL", true),
    compliancePolicy: policy === "pqc" ? "pqc" : "none",
    crlPath: reader.optionalText("CRL_PATH"),
  };
}

const MIB = 1024 * 1024;

function readSockets(reader: EnvironmentReader): SocketConfig {
  const idleMs = reader.durationMs("KEEPALIVE_TIME", 180_000);
  const intervalMs = reader.durationMs("KEEPALIVE_INTERVAL", 180_000);
  const probes = reader.integer("KEEPALIVE_RETRIES", 9, 1, 127);
  const enabled = reader.flag("KEEPALIVE_ENABLED", true);
  const source = reader.optionalText("ENABLE_ORIG_SRC");
  return {
    keepAlive: enabled
      ? { idleSeconds: wholeSeconds(idleMs), intervalSeconds: wholeSeconds(intervalMs), probes }
      : undefined,
    userTimeoutMs: reader.flag("USER_TIMEOUT_ENABLED", false) ? idleMs + probes * intervalMs : undefined,
    ipv6Enabled: reader.flag("IPV6_ENABLED", true),
    portReuse: reader.flag("INPOD_PORT_REUSE", true),
    originalSource:
      source === undefined ? "bestEffort" : reader.flag("ENABLE_ORIG_SRC", true) ? "required" : "off",
  };
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}

function readDns(reader: EnvironmentReader): DnsConfig {
  const text = reader.optionalText("ISTIO_META_DNS_PROXY_ADDR") ?? "localhost:15053";
  const [, host, portText] = /^(localhost|127\.0\.0\.1|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  if (host === undefined || port < 1 || port > 65_535)
    reader.problems.push(
      `ISTIO_META_DNS_PROXY_ADDR: expected localhost and a port such as localhost:15053, got ${JSON.stringify(text)}`,
    );
  return {
    enabled: reader.flag("ISTIO_META_DNS_CAPTURE", true),
    port,
    // The name is spelled so in Istio.
    preferredNamespace: reader.optionalText("PREFERED_SERVICE_NAMESPACE"),
  };
}

function readLog(reader: EnvironmentReader): ZtunnelLogConfig {
  return {
    ...readLogConfig(reader, "info"),
    authorizationAtInfo: reader.flag("AUTHZ_POLICY_INFO_LOGGING", false),
    buildTag: reader.optionalText("ISTIO_META_ISTIO_VERSION") ?? "unknown",
  };
}
