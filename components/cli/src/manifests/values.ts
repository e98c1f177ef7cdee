/**
 * What an installation is asked to be: a profile, overlaid by files and `--set` paths, read once into one typed value.
 * The paths are those of Istio's IstioOperator and charts (reference: l7-and-cli §3.1, §6), so that what users paste keeps working.
 */

import { suggestion } from "../suggest.ts";

export interface ComponentValues {
  readonly enabled: boolean;
}

export interface InstallValues {
  readonly profile: string;
  readonly hub: string;
  readonly tag: string;
  /** `distroless`, `debug` or empty; becomes a suffix of the image tag. */
  readonly variant: string;
  readonly revision: string;
  readonly istioNamespace: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly network: string;
  readonly base: ComponentValues;
  readonly pilot: ComponentValues & {
    readonly env: ReadonlyMap<string, string>;
    readonly replicaCount: number;
    readonly requests: ResourceRequests;
  };
  readonly cni: ComponentValues & {
    readonly ambient: boolean;
    readonly dnsCapture: boolean;
    readonly ipv6: boolean;
    readonly excludeNamespaces: readonly string[];
    readonly cniBinDir: string;
    readonly cniConfDir: string;
    readonly cniNetnsDir: string;
    readonly nativeNftables: boolean;
    readonly env: ReadonlyMap<string, string>;
    readonly requests: ResourceRequests;
  };
  readonly ztunnel: ComponentValues & {
    readonly env: ReadonlyMap<string, string>;
    readonly variant: string;
    readonly terminationGracePeriodSeconds: number;
    readonly logLevel: string;
    /** Whether peers are looked up in the revocation lists of a plugged-in CA. */
    readonly peerCaCrl: boolean;
    readonly requests: ResourceRequests;
  };
  readonly logAsJson: boolean;
}

export interface ResourceRequests {
  readonly cpu: string;
  readonly memory: string;
}

export type ValuesResult =
  | { readonly kind: "ok"; readonly values: InstallValues }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/** A tree as YAML gives it: maps, lists and scalars. */
export type Tree = { readonly [key: string]: unknown };

const DEFAULTS: Tree = {
  profile: "default",
  hub: "docker.io/meltemi",
  tag: "0.1.0",
  revision: "",
  components: {
    base: { enabled: true },
    pilot: { enabled: true },
    cni: { enabled: false },
    ztunnel: { enabled: false },
  },
  meshConfig: { trustDomain: "cluster.local" },
  values: {
    global: {
      istioNamespace: "istio-system",
      variant: "",
      network: "",
      logAsJson: false,
      nativeNftables: false,
      multiCluster: { clusterName: "Kubernetes" },
      proxy: { clusterDomain: "cluster.local" },
    },
    pilot: { env: {}, replicaCount: 1, resources: { requests: { cpu: "100m", memory: "256Mi" } } },
    cni: {
      ambient: { enabled: false, dnsCapture: true, ipv6: true },
      excludeNamespaces: ["kube-system"],
      cniBinDir: "/opt/cni/bin",
      cniConfDir: "/etc/cni/net.d",
      cniNetnsDir: "/var/run/netns",
      env: {},
      resources: { requests: { cpu: "50m", memory: "100Mi" } },
    },
    ztunnel: {
      env: {},
      variant: "",
      logLevel: "info",
      // Istio's default is false. Without a list it costs nothing, and a list that nobody looks at is worse than none.
      peerCaCrl: { enabled: true },
      terminationGracePeriodSeconds: 30,
      resources: { requests: { cpu: "100m", memory: "256Mi" } },
    },
  },
};

const AMBIENT: Tree = {
  components: { cni: { enabled: true }, ztunnel: { enabled: true } },
  values: { cni: { ambient: { enabled: true } }, pilot: { env: { PILOT_ENABLE_AMBIENT: "true" } } },
};

/** What each profile changes against the defaults. */
const PROFILES: ReadonlyMap<string, Tree> = new Map([
  ["default", {}],
  ["ambient", AMBIENT],
  ["minimal", {}],
  ["empty", { components: { base: { enabled: false }, pilot: { enabled: false } } }],
]);

const PROFILE_NAMES: readonly string[] = [...PROFILES.keys()];

/**
 * Overlays `layers` (files left to right, then one tree from the `--set` flags) on the profile they name
 * and reads the result. All problems are reported together; a path nobody reads is one of them, because a
 * misspelt value that is silently ignored is a production incident later.
 */
export function readInstallValues(layers: readonly Tree[]): ValuesResult {
  const asked = layers.reduce<Tree>((merged, layer) => overlay(merged, layer), {});
  const profile = typeof asked["profile"] === "string" ? asked["profile"] : "default";
  const preset = PROFILES.get(profile);
  if (preset === undefined) {
    return {
      kind: "invalid",
      problems: [`profile: expected one of ${PROFILE_NAMES.join(", ")}, got ${JSON.stringify(profile)}`],
    };
  }
  const tree = overlay(overlay(DEFAULTS, preset), asked);
  const reader = new TreeReader(tree);
  const values = readTree(reader);
  const problems = [...reader.problems, ...unknownPaths(asked, DEFAULTS)];
  return problems.length > 0 ? { kind: "invalid", problems } : { kind: "ok", values };
}

function readTree(read: TreeReader): InstallValues {
  const requests = (path: string): ResourceRequests => ({
    cpu: read.text(`${path}.resources.requests.cpu`),
    memory: read.text(`${path}.resources.requests.memory`),
  });
  return {
    profile: read.text("profile"),
    hub: read.text("hub"),
    tag: read.text("tag"),
    variant: read.text("values.global.variant"),
    revision: read.text("revision"),
    istioNamespace: read.text("values.global.istioNamespace"),
    clusterId: read.text("values.global.multiCluster.clusterName"),
    clusterDomain: read.text("values.global.proxy.clusterDomain"),
    trustDomain: read.text("meshConfig.trustDomain"),
    network: read.text("values.global.network"),
    logAsJson: read.flag("values.global.logAsJson"),
    base: { enabled: read.flag("components.base.enabled") },
    pilot: {
      enabled: read.flag("components.pilot.enabled"),
      env: read.textMap("values.pilot.env"),
      replicaCount: read.count("values.pilot.replicaCount", 1, 10),
      requests: requests("values.pilot"),
    },
    cni: {
      enabled: read.flag("components.cni.enabled"),
      ambient: read.flag("values.cni.ambient.enabled"),
      dnsCapture: read.flag("values.cni.ambient.dnsCapture"),
      ipv6: read.flag("values.cni.ambient.ipv6"),
      excludeNamespaces: read.textList("values.cni.excludeNamespaces"),
      cniBinDir: read.text("values.cni.cniBinDir"),
      cniConfDir: read.text("values.cni.cniConfDir"),
      cniNetnsDir: read.text("values.cni.cniNetnsDir"),
      nativeNftables: read.flag("values.global.nativeNftables"),
      env: read.textMap("values.cni.env"),
      requests: requests("values.cni"),
    },
    ztunnel: {
      enabled: read.flag("components.ztunnel.enabled"),
      env: read.textMap("values.ztunnel.env"),
      variant: read.text("values.ztunnel.variant"),
      terminationGracePeriodSeconds: read.count("values.ztunnel.terminationGracePeriodSeconds", 1, 86_400),
      logLevel: read.text("values.ztunnel.logLevel"),
      peerCaCrl: read.flag("values.ztunnel.peerCaCrl.enabled"),
      requests: requests("values.ztunnel"),
    },
  };
}

/** Reads typed leaves by dotted path and collects what does not fit. */
class TreeReader {
  readonly problems: string[] = [];
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  #at(path: string): unknown {
    return path.split(".").reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), this.#tree);
  }

  #wrong(path: string, expected: string): void {
    this.problems.push(`${path}: expected ${expected}, got ${JSON.stringify(this.#at(path))}`);
  }

  text(path: string): string {
    const value = this.#at(path);
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    this.#wrong(path, "a text");
    return "";
  }

  flag(path: string): boolean {
    const value = this.#at(path);
    if (typeof value === "boolean") return value;
    this.#wrong(path, "true or false");
    return false;
  }

  count(path: string, min: number, max: number): number {
    const value = this.#at(path);
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#wrong(path, `a whole number from ${min} to ${max}`);
    return min;
  }

  textList(path: string): readonly string[] {
    const value = this.#at(path);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.#wrong(path, "a list of texts");
    return [];
  }

  textMap(path: string): ReadonlyMap<string, string> {
    const value = this.#at(path);
    if (!isTree(value)) {
      this.#wrong(path, "a map of texts");
      return new Map();
    }
    return new Map(Object.entries(value).map(([key, leaf]) => [key, String(leaf)]));
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A deep merge of maps; lists and scalars of `upper` replace those of `lower`. */
export function overlay(lower: Tree, upper: Tree): Tree {
  const merged: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(lower)) merged[key] = value;
  for (const [key, value] of Object.entries(upper)) {
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? overlay(below, value) : value;
  }
  return merged;
}

/** Paths of `asked` that no default knows. Maps that are empty in the defaults (env) take any key. */
function unknownPaths(asked: Tree, known: Tree, at = ""): string[] {
  const problems: string[] = [];
  for (const [key, value] of Object.entries(asked)) {
    const path = at === "" ? key : `${at}.${key}`;
    const below = known[key];
    if (below === undefined) problems.push(`${path}: no such value${suggestion(key, Object.keys(known))}`);
    else if (isTree(below) && Object.keys(below).length > 0 && isTree(value))
      problems.push(...unknownPaths(value, below, path));
  }
  return problems;
}
