/** Configuration of the node agent from its environment, under Istio's names where they exist (reference: l7-and-cli §6.4). */

import {
  type Environment,
  EnvironmentReader,
  type LogFormat,
  type LogLevel,
  MeshError,
} from "@meltemi/runtime";

export interface CniConfig {
  readonly nodeName: string;
  /** The DaemonSet this process belongs to: when it is gone, so is the mesh. */
  readonly daemonSet: { readonly name: string; readonly namespace: string };
  readonly enrolment: EnrolmentConfig;
  readonly capture: CaptureConfig;
  readonly install: InstallConfig;
  /** Where ztunnels connect (ZTUNNEL_UDS_ADDRESS). */
  readonly ztunnelSocket: string;
  /** Folder of pluginevent.sock, as the agent and, on the host, the plugin see it (CNI_AGENT_RUN_DIR). */
  readonly runFolder: string;
  /** The machine's /proc, to find namespaces of running pods. */
  readonly hostProc: string;
  /** Where the runtime's namespace files are mounted here. */
  readonly netnsFolder: string;
  readonly ports: { readonly health: number; readonly metrics: number };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

export interface EnrolmentConfig {
  readonly excludeNamespaces: ReadonlySet<string>;
  /** Default for pods without `ambient.istio.io/dns-capture`. */
  readonly dnsCapture: boolean;
  readonly ipv6: boolean;
}

export interface CaptureConfig {
  readonly backend: "auto" | "ebpf" | "nftables";
  readonly pinFolder: string;
}

export interface InstallConfig {
  /** Folders of the host, as mounted here. */
  readonly binFolder: string;
  readonly confFolder: string;
  /** Name of the list to join; undefined: the first one there is. */
  readonly confName: string | undefined;
  /** Name of a list of our own; undefined: theirs is joined. Only where `chained`. */
  readonly ownedName: string | undefined;
  /** False: the plugin is put in place, but whoever owns the configuration names it there (Multus). */
  readonly chained: boolean;
}

const BACKENDS = ["auto", "ebpf", "nftables"] as const;

/** Throws CONFIG_INVALID naming every variable at fault. */
export function readConfig(env: Environment): CniConfig {
  const reader = new EnvironmentReader(env);
  const nftables = reader.flag("NATIVE_NFTABLES", false);
  const config: CniConfig = {
    nodeName: reader.requiredText("NODE_NAME", "the name of this node"),
    daemonSet: {
      name: reader.text("DAEMONSET_NAME", "istio-cni-node"),
      namespace: reader.text("POD_NAMESPACE", "istio-system"),
    },
    enrolment: {
      excludeNamespaces: new Set(names(reader.text("EXCLUDE_NAMESPACES", "kube-system"))),
      dnsCapture: reader.flag("AMBIENT_DNS_CAPTURE", true),
      ipv6: reader.flag("AMBIENT_IPV6", true),
    },
    capture: {
      backend: nftables ? "nftables" : reader.oneOf("CAPTURE_BACKEND", BACKENDS, "auto"),
      pinFolder: reader.text("CAPTURE_PIN_DIR", "/sys/fs/bpf/meltemi"),
    },
    install: {
      binFolder: reader.text("MOUNTED_CNI_BIN_DIR", "/host/opt/cni/bin"),
      confFolder: reader.text("MOUNTED_CNI_NET_DIR", reader.text("CNI_NET_DIR", "/host/etc/cni/net.d")),
      confName: reader.optionalText("CNI_CONF_NAME"),
      ownedName: reader.flag("ISTIO_OWNED_CNI_CONFIG", false)
        ? reader.text("ISTIO_OWNED_CNI_CONFIG_FILENAME", "02-istio-cni.conflist")
        : undefined,
      chained: reader.flag("CHAINED_CNI_PLUGIN", true),
    },
    ztunnelSocket: reader.text("ZTUNNEL_UDS_ADDRESS", "/var/run/ztunnel/ztunnel.sock"),
    runFolder: reader.text("CNI_AGENT_RUN_DIR", "/var/run/istio-cni"),
    hostProc: reader.text("HOST_PROC_DIR", "/host/proc"),
    netnsFolder: reader.text("MOUNTED_CNI_NETNS_DIR", "/host/var/run/netns"),
    ports: { health: reader.port("HEALTH_PORT", 8000), metrics: reader.port("MONITORING_PORT", 15014) },
    log: {
      level: reader.oneOf("LOG_LEVEL", ["error", "warn", "info", "debug"], "info"),
      format: reader.oneOf("LOG_FORMAT", ["plain", "json"], "plain"),
    },
  };
  reader.problems.push(...ownedNameProblems(config.install));
  if (reader.problems.length > 0)
    throw new MeshError("CONFIG_INVALID", `read configuration: ${reader.problems.join("; ")}`);
  return config;
}

function ownedNameProblems({ ownedName, chained }: InstallConfig): readonly string[] {
  if (ownedName === undefined) return [];
  const problems: string[] = [];
  if (!chained) problems.push("ISTIO_OWNED_CNI_CONFIG: expected CHAINED_CNI_PLUGIN=true with it");
  if (!/^[^./][^/]*\.conflist$/.test(ownedName))
    problems.push(
      `ISTIO_OWNED_CNI_CONFIG_FILENAME=${ownedName}: expected a file's name that ends in .conflist`,
    );
  return problems;
}

function names(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
