/**
 * What an installation is asked to be: a profile, overlaid by files and `--set` paths, read once into one typed value.
 * The paths are those of Istio's IstioOperator and charts (reference: l7-and-cli §3.1, §6), so that what users paste keeps working.
 */

import { suggestion } from "@meltemi/validation";
import { isTree, type Tree, TreeReader } from "./tree-reader.ts";

export type { Tree };

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
  readonly waypoint: WaypointValues;
  /** `gatewayClasses.<class>.<key>`: overlays for all Gateways of a class. */
  readonly gatewayClasses: ReadonlyMap<string, ReadonlyMap<string, Tree>>;
  readonly logAsJson: boolean;
}

/** What waypoints are deployed as. */
export interface WaypointValues {
  /** Name of the image; hub, tag and variant are everybody's. */
  readonly image: string;
  /** Resources and placement of their pods, as `global.waypoint` has them. */
  readonly pod: Tree;
  /** Of ours: two replicas, apart, with an autoscaler and a disruption budget, where the Gateway does not say otherwise. */
  readonly highAvailability: boolean;
}

export interface ResourceRequests {
  readonly cpu: string;
  readonly memory: string;
}

export type ValuesResult =
  | { readonly kind: "ok"; readonly values: InstallValues }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

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
      proxy: { clusterDomain: "cluster.local", image: "proxyv2" },
      waypoint: {
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "2", memory: "1Gi" } },
        affinity: {},
        topologySpreadConstraints: [],
        nodeSelector: {},
        tolerations: [],
        highAvailability: false,
      },
    },
    gatewayClasses: {},
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

const WAYPOINT_POD_FIELDS = [
  "resources",
  "affinity",
  "topologySpreadConstraints",
  "nodeSelector",
  "tolerations",
] as const;

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
    waypoint: {
      image: read.text("values.global.proxy.image"),
      pod: read.filled("values.global.waypoint", WAYPOINT_POD_FIELDS),
      highAvailability: read.flag("values.global.waypoint.highAvailability"),
    },
    gatewayClasses: read.trees("values.gatewayClasses"),
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
