/**
 * The CNI protocol as our plugin speaks it (CNI specification 1.1.0, sections 2 and 5): what a call asks for, and what is answered. Pure,
 * and without imports beyond Node's own: the runtime starts this program for every pod.
 */

export interface PluginConf {
  readonly cniVersion: string;
  /** Folder of the agent's socket. */
  readonly runFolder: string;
  readonly excludeNamespaces: readonly string[];
  readonly prevResult: unknown;
}

export interface CniError {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

export type CniCall =
  | { readonly kind: "version"; readonly cniVersion: string }
  /** Nothing is asked of us. */
  | { readonly kind: "done" }
  | { readonly kind: "probe"; readonly conf: PluginConf }
  | { readonly kind: "add"; readonly conf: PluginConf; readonly event: PodEventBody }
  | { readonly kind: "pass"; readonly conf: PluginConf }
  | { readonly kind: "fail"; readonly cniVersion: string; readonly error: CniError };

/** Body of `POST /cmdadd`, in Istio's form. */
export interface PodEventBody {
  readonly Netns: string;
  readonly PodName: string;
  readonly PodNamespace: string;
  readonly PodUID?: string;
  readonly IPs: readonly {
    readonly Interface: number | null;
    readonly Address: { readonly IP: string; readonly Mask: string };
    readonly Gateway: string;
  }[];
}

export const SUPPORTED_VERSIONS: readonly string[] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const NEWEST_VERSION = "1.1.0";
const DEFAULT_RUN_FOLDER = "/var/run/istio-cni";
/** Codes of the specification; from 100 on they are the plugin's own. */
export const ERROR_CODES = {
  incompatibleVersion: 1,
  invalidEnvironment: 4,
  ioFailure: 5,
  undecodable: 6,
  invalidConf: 7,
  notAvailable: 50,
  refused: 101,
} as const;

export function readCall(env: Readonly<Record<string, string | undefined>>, stdin: string): CniCall {
  const command = env["CNI_COMMAND"];
  let document: unknown;
  try {
    document = stdin.trim() === "" ? {} : JSON.parse(stdin);
  } catch {
    return fail(NEWEST_VERSION, ERROR_CODES.undecodable, "standard input: expected a JSON configuration");
  }
  if (!isRecord(document))
    return fail(NEWEST_VERSION, ERROR_CODES.undecodable, "standard input: expected an object");
  const version = document["cniVersion"];
  const cniVersion = typeof version === "string" ? version : NEWEST_VERSION;
  if (command === "VERSION") return { kind: "version", cniVersion };
  if (!SUPPORTED_VERSIONS.includes(cniVersion))
    return fail(
      NEWEST_VERSION,
      ERROR_CODES.incompatibleVersion,
      `cniVersion ${JSON.stringify(cniVersion)}: expected one of ${SUPPORTED_VERSIONS.join(", ")}`,
    );
  const conf = readConf(document, cniVersion);
  switch (command) {
    case "ADD":
      return readAdd(env, conf);
    // The agent hears of a pod's end from the API, which the runtime's DEL may precede or follow.
    case "DEL":
    case "GC":
    case "CHECK":
      return { kind: "done" };
    case "STATUS":
      return { kind: "probe", conf };
    default:
      return fail(
        cniVersion,
        ERROR_CODES.invalidEnvironment,
        "CNI_COMMAND: expected ADD, DEL, CHECK, GC, STATUS or VERSION",
      );
  }
}

function readConf(document: Readonly<Record<string, unknown>>, cniVersion: string): PluginConf {
  const folder = document["cni_agent_run_dir"];
  const excluded = document["exclude_namespaces"];
  return {
    cniVersion,
    runFolder: typeof folder === "string" && folder.startsWith("/") ? folder : DEFAULT_RUN_FOLDER,
    excludeNamespaces: Array.isArray(excluded) ? excluded.filter((name) => typeof name === "string") : [],
    prevResult: document["prevResult"],
  };
}

function readAdd(env: Readonly<Record<string, string | undefined>>, conf: PluginConf): CniCall {
  const { cniVersion, prevResult } = conf;
  const netns = env["CNI_NETNS"];
  if (netns === undefined || netns === "")
    return fail(cniVersion, ERROR_CODES.invalidEnvironment, "CNI_NETNS: expected a path, got nothing");
  // Multus and its like call us beside others, without a result before ours: then the agent looks for the pod's addresses itself.
  if (prevResult !== undefined && !isRecord(prevResult))
    return fail(cniVersion, ERROR_CODES.invalidConf, "prevResult: expected an object");
  const args = readArgs(env["CNI_ARGS"] ?? "");
  const podName = args.get("K8S_POD_NAME") ?? "";
  const podNamespace = args.get("K8S_POD_NAMESPACE") ?? "";
  // Not a pod of Kubernetes: none of our business.
  if (podName === "" || podNamespace === "") return { kind: "pass", conf };
  if (conf.excludeNamespaces.includes(podNamespace)) return { kind: "pass", conf };
  const uid = args.get("K8S_POD_UID") ?? "";
  return {
    kind: "add",
    conf,
    event: {
      Netns: netns,
      PodName: podName,
      PodNamespace: podNamespace,
      ...(uid !== "" && { PodUID: uid }),
      IPs: readIps(prevResult?.["ips"]),
    },
  };
}

/** `IgnoreUnknown=1;K8S_POD_NAME=a;…` */
function readArgs(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(";").flatMap((pair): [string, string][] => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [] : [[pair.slice(0, equals), pair.slice(equals + 1)]];
    }),
  );
}

function readIps(ips: unknown): PodEventBody["IPs"] {
  if (!Array.isArray(ips)) return [];
  return ips.flatMap((entry) => {
    const address: unknown = isRecord(entry) ? entry["address"] : undefined;
    if (!isRecord(entry) || typeof address !== "string") return [];
    const [ip = "", length = ""] = address.split("/");
    const { interface: index, gateway } = entry;
    return [
      {
        Interface: typeof index === "number" ? index : null,
        Address: { IP: ip, Mask: maskOf(ip, Number(length)) },
        Gateway: typeof gateway === "string" ? gateway : "",
      },
    ];
  });
}

/** As Go prints a net.IPMask in JSON: base64 of its bytes. */
function maskOf(ip: string, length: number): string {
  const bytes = Buffer.alloc(ip.includes(":") ? 16 : 4);
  for (let bit = 0; bit < Math.min(length, bytes.length * 8); bit++)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bytes.toString("base64");
}

export function renderVersion(cniVersion: string): string {
  return JSON.stringify({ cniVersion, supportedVersions: SUPPORTED_VERSIONS });
}

/** Our result is the one before us, in the version asked for; called alone, that nothing was made. */
export function renderResult(conf: PluginConf): string {
  const result = isRecord(conf.prevResult) ? conf.prevResult : {};
  return JSON.stringify({ ...result, cniVersion: conf.cniVersion });
}

export function renderError(cniVersion: string, error: CniError): string {
  return JSON.stringify({ cniVersion, ...error });
}

function fail(cniVersion: string, code: number, msg: string): CniCall {
  return { kind: "fail", cniVersion, error: { code, msg } };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
