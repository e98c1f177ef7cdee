/**
 * Configuration of a waypoint from its command line and environment, under Istio's names (reference: l7-and-cli §1.7, protocol §8.3).
 * All faults are reported together, each naming its variable; nothing is half configured.
 */

import { type Ip, parseIp, type WorkloadName } from "@meltemi/model";
import {
  type ControlPlaneConfig,
  DEFAULT_CONTROL_PLANE,
  DEFAULT_TOKEN_PATH,
  type LogConfig,
  parseLogClauses,
  readControlPlane,
  readDrainDeadlineMs,
  readLogConfig,
  readMetadata,
} from "@meltemi/proxy-process";
import { type Environment, EnvironmentReader, MeshError } from "@meltemi/runtime";
import { logFilterOf, parseArguments, type WaypointArguments } from "./arguments.ts";

export interface WaypointConfig {
  readonly pod: WorkloadName;
  readonly place: WaypointPlace;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly xds: ControlPlaneConfig;
  readonly ca: ControlPlaneConfig & { readonly certificateTtlMs: number };
  /** Path of the token file, or the token itself. */
  readonly authToken: string;
  readonly hbone: HboneConfig;
  /** Address of all listeners but the admin server's, which is on loopback always. */
  readonly listenHost: string;
  readonly admin: AdminConfig;
  readonly log: WaypointLogConfig;
  /** How long open requests and connections may go on after a shutdown began. */
  readonly drainDeadlineMs: number;
  /** How long a service is served on that is bound here no more. */
  readonly unboundLingerMs: number;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface WaypointPlace {
  readonly ip: Ip;
  readonly node: string;
  readonly network: string;
  readonly clusterId: string;
}

interface HboneConfig {
  /** Where the tunnels of clients arrive. */
  readonly port: number;
  /** Where tunnels to endpoints go. */
  readonly endpointPort: number;
  readonly compliancePolicy: "none" | "pqc";
  /** File of revocation lists; undefined: nobody is revoked. */
  readonly crlPath: string | undefined;
}

interface AdminConfig {
  readonly adminPort: number;
  readonly statsPort: number;
  /** Envoy's own, for scrapers that know it. */
  readonly secondStatsPort: number;
  readonly readinessPort: number;
}

interface WaypointLogConfig extends LogConfig {
  /** Version shown as `istio_build{tag}`. */
  readonly buildTag: string;
}

/** Kubernetes' default grace of 30 s, less what leaving takes; a drain ends as soon as there is nothing left. */
const DEFAULT_DRAIN_DEADLINE_MS = 25_000;
/** A push to all ztunnels of a large mesh takes a second or two. */
const UNBOUND_LINGER_MS = 5000;
const HBONE_PORT = 15008;

/** Throws CONFIG_INVALID with every fault. */
export function readConfig(words: readonly string[], env: Environment): WaypointConfig {
  const args = parseArguments(words);
  if (args.kind === "bad") throw new MeshError("CONFIG_INVALID", args.why);
  const reader = new EnvironmentReader(env);
  const controlPlane = reader.optionalText("CA_ADDR") ?? DEFAULT_CONTROL_PLANE;
  const config: WaypointConfig = {
    pod: {
      name: reader.requiredText("POD_NAME", "the name of the waypoint's pod"),
      namespace: reader.requiredText("POD_NAMESPACE", "the namespace of the waypoint's pod"),
      serviceAccount: reader.requiredText("SERVICE_ACCOUNT", "the service account of the waypoint's pod"),
    },
    place: readPlace(reader),
    clusterDomain: readClusterDomain(reader, args.value),
    trustDomain: reader.optionalText("TRUST_DOMAIN") ?? "cluster.local",
    xds: readControlPlane(reader, "XDS", controlPlane),
    ca: {
      ...readControlPlane(reader, "CA", reader.text("XDS_ADDRESS", controlPlane)),
      certificateTtlMs: reader.durationMs("SECRET_TTL", 24 * 3_600_000),
    },
    authToken: reader.text("AUTH_TOKEN", DEFAULT_TOKEN_PATH),
    hbone: readHbone(reader),
    listenHost: reader.flag("IPV6_ENABLED", true) ? "::" : "0.0.0.0",
    admin: { adminPort: 15000, statsPort: 15020, secondStatsPort: 15090, readinessPort: 15021 },
    log: readLog(reader, args.value),
    drainDeadlineMs: readDrainDeadlineMs(reader, DEFAULT_DRAIN_DEADLINE_MS),
    unboundLingerMs: UNBOUND_LINGER_MS,
    metadata: readMetadata(reader),
  };
  if (config.xds.address === undefined)
    reader.problems.push("XDS_ADDRESS: expected the control plane's host:port, got nothing");
  if (reader.problems.length > 0)
    throw new MeshError("CONFIG_INVALID", `read environment: ${reader.problems.join("; ")}`);
  return config;
}

function readPlace(reader: EnvironmentReader): WaypointPlace {
  const text = reader.requiredText("INSTANCE_IP", "the address of the waypoint's pod");
  const ip = parseIp(text);
  if (ip === undefined && text !== "")
    reader.problems.push(`INSTANCE_IP: expected an address, got ${JSON.stringify(text)}`);
  return {
    ip: ip ?? ("" as Ip),
    node: reader.text("NODE_NAME", ""),
    network: reader.optionalText("ISTIO_META_NETWORK") ?? reader.text("NETWORK", ""),
    clusterId:
      reader.optionalText("ISTIO_META_CLUSTER_ID") ?? reader.optionalText("CLUSTER_ID") ?? "Kubernetes",
  };
}

/** What follows `.svc.` in the pod's domain, unless it is given. */
function readClusterDomain(reader: EnvironmentReader, { domain }: WaypointArguments): string {
  const given = reader.optionalText("CLUSTER_DOMAIN");
  if (given !== undefined) return given;
  const at = domain?.indexOf(".svc.") ?? -1;
  return domain === undefined || at < 0 ? "cluster.local" : domain.slice(at + ".svc.".length);
}

function readHbone(reader: EnvironmentReader): HboneConfig {
  const policy = reader.optionalText("COMPLIANCE_POLICY");
  if (policy !== undefined && policy !== "pqc")
    reader.problems.push(`COMPLIANCE_POLICY: expected pqc or nothing, got ${JSON.stringify(policy)}`);
  return {
    port: HBONE_PORT,
    endpointPort: HBONE_PORT,
    compliancePolicy: policy === "pqc" ? "pqc" : "none",
    crlPath: reader.optionalText("CRL_PATH"),
  };
}

function readLog(reader: EnvironmentReader, args: WaypointArguments): WaypointLogConfig {
  const log = readLogConfig(reader, logFilterOf(args) ?? "info");
  if (parseLogClauses(log.filter) === undefined)
    reader.problems.push(
      `log level: expected level or scope=level, comma separated, got ${JSON.stringify(log.filter)}`,
    );
  return { ...log, buildTag: reader.optionalText("ISTIO_META_ISTIO_VERSION") ?? "unknown" };
}
