/** Configuration of the control plane: arguments and environment under istiod's names, and the mesh's ConfigMap. */

import { type Cidr, parseCidr } from "@meltemi/model";
import { type Environment, EnvironmentReader, MeshError } from "@meltemi/runtime";
import { parse } from "yaml";
import { parseTrustedNodeAccounts, type ServiceAccountName } from "./certificate-authority/decide-issue.ts";
import type { TrafficSettings } from "./compile/l7/traffic-settings.ts";
import { DEFAULT_DEBOUNCE, type DebounceOptions } from "./distribute/decide-push.ts";
import { readTrafficSettings } from "./mesh-traffic-config.ts";
import { LOOPBACK } from "./sources/outbound-guard.ts";
import { type PodDefaults, readPodDefaults } from "./waypoint-deployer/settings.ts";

export interface ControlPlaneConfig {
  readonly podName: string;
  /** Where the control plane itself runs. */
  readonly namespace: string;
  readonly revision: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  /** Undefined: the mesh configuration decides. */
  readonly trustDomain: string | undefined;
  /** `ISTIOD_CUSTOM_HOST`: further names of the server certificate, for who reaches the control plane from outside. */
  readonly customHosts: readonly string[];
  readonly tokenAudiences: readonly string[];
  /** Service accounts that may ask for other identities. */
  readonly trustedNodeAccounts: readonly ServiceAccountName[];
  /** Undefined: the authority's defaults. */
  readonly defaultCertificateTtlMs: number | undefined;
  readonly maxCertificateTtlMs: number | undefined;
  /** Revocation lists of a plugged-in CA go out to every namespace. */
  readonly revocationLists: boolean;
  readonly requireToken: boolean;
  /** Addresses that token issuers' keys are not fetched from. */
  readonly blockedKeyAddresses: readonly Cidr[];
  readonly dryRunPolicies: boolean;
  readonly writeStatus: boolean;
  /** `VALIDATION_WEBHOOK_CONFIG_NAME`: empty leaves ValidatingWebhookConfigurations to somebody else. */
  readonly keepsValidationWebhook: boolean;
  /** Namespace of the node agents whose readiness takes the taint `cni.istio.io/not-ready` from nodes; undefined: taints stay. */
  readonly untaintNamespace: string | undefined;
  readonly waypoints: WaypointConfig;
  readonly debounce: DebounceOptions;
  readonly addresses: {
    /** `host:port`; empty: this door stays shut. */
    readonly secureGrpc: string;
    readonly plainGrpc: string;
    readonly monitoring: string;
    readonly http: string;
    /** Webhooks. */
    readonly https: string;
  };
  readonly logLevel: string;
  readonly logFormat: "plain" | "json";
  /** How long streams may end by themselves on shutdown. */
  readonly drainMs: number;
}

/** What waypoints are deployed as. */
export interface WaypointConfig {
  /** Undefined: none are deployed. */
  readonly image: string | undefined;
  readonly pod: PodDefaults;
  readonly highAvailability: boolean;
  readonly network: string;
  /** Undefined: this control plane's own Service. */
  readonly controlPlaneAddress: string | undefined;
  readonly logLevel: string;
}

export type ConfigResult =
  | { readonly kind: "ok"; readonly config: ControlPlaneConfig }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/** Flags of `discovery`, as istiod's: `--name=value` or `--name value`. */
const FLAGS = [
  "domain",
  "grpcAddr",
  "secureGRPCAddr",
  "monitoringAddr",
  "httpAddr",
  "httpsAddr",
  "log_output_level",
] as const;
type Flag = (typeof FLAGS)[number];

export function readConfig(args: readonly string[], environment: Environment): ConfigResult {
  const env = new EnvironmentReader(environment);
  const flags = readFlags(args, env.problems);
  const list = (name: string, fallback: string): readonly string[] =>
    env
      .text(name, fallback)
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  const config: ControlPlaneConfig = {
    podName: env.text("POD_NAME", "istiod"),
    namespace: env.text("POD_NAMESPACE", "istio-system"),
    revision: env.text("REVISION", "default"),
    clusterId: env.text("CLUSTER_ID", "Kubernetes"),
    clusterDomain: flags.get("domain") ?? "cluster.local",
    trustDomain: env.optionalText("TRUST_DOMAIN"),
    customHosts: readHosts("ISTIOD_CUSTOM_HOST", list("ISTIOD_CUSTOM_HOST", ""), env.problems),
    tokenAudiences: list("TOKEN_AUDIENCES", "istio-ca"),
    trustedNodeAccounts: parseTrustedNodeAccounts(env.text("CA_TRUSTED_NODE_ACCOUNTS", ""), env.problems),
    defaultCertificateTtlMs: optionalDurationMs(env, "DEFAULT_WORKLOAD_CERT_TTL"),
    maxCertificateTtlMs: optionalDurationMs(env, "MAX_WORKLOAD_CERT_TTL"),
    revocationLists: env.flag("PILOT_ENABLE_CA_CRL", true),
    requireToken: env.flag("XDS_AUTH", true),
    blockedKeyAddresses: [
      ...LOOPBACK,
      ...readCidrs("BLOCKED_CIDRS_IN_JWKS_URIS", list("BLOCKED_CIDRS_IN_JWKS_URIS", ""), env.problems),
    ],
    dryRunPolicies: env.flag("AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY", false),
    writeStatus: env.flag("AMBIENT_ENABLE_STATUS", true),
    keepsValidationWebhook: env.text("VALIDATION_WEBHOOK_CONFIG_NAME", "istio-istio-system") !== "",
    untaintNamespace: env.flag("PILOT_ENABLE_NODE_UNTAINT_CONTROLLERS", false)
      ? env.text("CNI_NAMESPACE", env.text("POD_NAMESPACE", "istio-system"))
      : undefined,
    waypoints: {
      image: env.optionalText("WAYPOINT_IMAGE"),
      pod: readPodDefaults(env),
      highAvailability: env.flag("WAYPOINT_HIGH_AVAILABILITY", false),
      network: env.text("NETWORK", ""),
      controlPlaneAddress: env.optionalText("CA_ADDR"),
      logLevel: env.text("WAYPOINT_LOG_LEVEL", "info"),
    },
    debounce: {
      ...DEFAULT_DEBOUNCE,
      quietMs: env.durationMs("PILOT_DEBOUNCE_AFTER", DEFAULT_DEBOUNCE.quietMs),
      maxMs: env.durationMs("PILOT_DEBOUNCE_MAX", DEFAULT_DEBOUNCE.maxMs),
    },
    addresses: {
      secureGrpc: flags.get("secureGRPCAddr") ?? ":15012",
      // A token must not cross a network in the clear: who wants that says so.
      plainGrpc: flags.get("grpcAddr") ?? "127.0.0.1:15010",
      monitoring: flags.get("monitoringAddr") ?? ":15014",
      http: flags.get("httpAddr") ?? ":8080",
      https: flags.get("httpsAddr") ?? ":15017",
    },
    logLevel: logLevelOf(flags.get("log_output_level") ?? env.text("RUST_LOG", "info")),
    logFormat: env.oneOf("LOG_FORMAT", ["plain", "json"], "plain"),
    drainMs: env.durationMs("TERMINATION_DRAIN_DURATION", 5_000),
  };
  if (!env.flag("PILOT_ENABLE_AMBIENT", true))
    env.problems.push("PILOT_ENABLE_AMBIENT: expected true, this control plane serves ambient meshes only");
  return env.problems.length > 0 ? { kind: "invalid", problems: env.problems } : { kind: "ok", config };
}

const HOST = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i;

function readHosts(name: string, hosts: readonly string[], problems: string[]): readonly string[] {
  for (const host of hosts)
    if (!HOST.test(host) || host.length > 253)
      problems.push(`${name}: expected DNS names, got ${JSON.stringify(host.slice(0, 300))}`);
  return hosts;
}

function readCidrs(name: string, texts: readonly string[], problems: string[]): readonly Cidr[] {
  return texts.flatMap((text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) problems.push(`${name}: expected CIDR blocks, got ${JSON.stringify(text)}`);
    return cidr ?? [];
  });
}

function optionalDurationMs(env: EnvironmentReader, name: string): number | undefined {
  return env.optionalText(name) === undefined ? undefined : env.durationMs(name, 0);
}

function readFlags(args: readonly string[], problems: string[]): ReadonlyMap<Flag, string> {
  const found = new Map<Flag, string>();
  for (let at = 0; at < args.length; at++) {
    const [name = "", inline] = (args[at] ?? "").split(/=(.*)/s, 2);
    const flag = FLAGS.find((known) => name === `--${known}`);
    if (flag === undefined) {
      problems.push(`${name}: expected one of ${FLAGS.map((known) => `--${known}`).join(", ")}`);
      continue;
    }
    const value = inline ?? args[++at];
    if (value === undefined) problems.push(`${name}: expected a value`);
    else found.set(flag, value);
  }
  return found;
}

/** `default:info` is istiod's way to say `info`. */
function logLevelOf(text: string): string {
  return text.split(",")[0]?.replace(/^(?:default|all):/, "") ?? "info";
}

/** What the mesh agrees on: the ConfigMap `istio` (or `istio-<revision>`), key `mesh`. */
export interface MeshConfig {
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly traffic: TrafficSettings;
}

/** `text` undefined: there is no ConfigMap. Throws CONFIG_INVALID for text that is not such a mesh configuration. */
export function readMeshConfig(
  text: string | undefined,
  config: Pick<ControlPlaneConfig, "namespace" | "trustDomain">,
): MeshConfig {
  const fields = text === undefined ? {} : parseYaml(text);
  const name = (key: string, fallback: string): string => {
    const value = fields[key];
    if (value === undefined || value === null || value === "") return fallback;
    if (typeof value === "string" && /^[a-z0-9._-]+$/i.test(value)) return value;
    throw new MeshError("CONFIG_INVALID", `read mesh configuration: ${key} is not a name`);
  };
  return {
    trustDomain: name("trustDomain", config.trustDomain ?? "cluster.local"),
    rootNamespace: name("rootNamespace", config.namespace),
    traffic: readTrafficSettings(fields),
  };
}

function parseYaml(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", "read mesh configuration: not YAML", { cause });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new MeshError("CONFIG_INVALID", "read mesh configuration: expected a map");
  return value as Readonly<Record<string, unknown>>;
}
