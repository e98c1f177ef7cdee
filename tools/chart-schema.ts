/**
 * JSON schema of a chart's values: the shape of its defaults, closed, so that a misspelt value is refused and not ignored. What a type does
 * not say is in the tables below. Values that are refused with a reason of their own pass here; the templates tell the reason.
 */

export type Json = unknown;
export type Tree = { readonly [key: string]: Json };
export type Schema = { readonly [key: string]: Json };

export interface ChartSource {
  readonly name: string;
  readonly defaults: Tree;
  readonly refused: readonly { readonly paths: readonly string[]; readonly accept: readonly Json[] }[];
  readonly rules: Readonly<Record<string, Json>>;
}

const TEXT: Schema = { type: ["string", "number"] };
const SCALAR: Schema = { type: ["string", "number", "boolean"] };
const MAP: Schema = { type: "object" };
const COUNT: Schema = { type: "integer", minimum: 1 };
const PULL_POLICY: Schema = { enum: ["", "Always", "IfNotPresent", "Never"] };
const COUNT_OR_PERCENT: Schema = { type: ["string", "integer"] };
const LOG_LEVEL: Schema = { type: "string", pattern: "^(((default|all):)?(error|warn|info|debug))?$" };
const RESOURCES: Schema = closed({ limits: MAP, requests: MAP });
const CLASS_PARTS = [
  "deployment",
  "service",
  "serviceAccount",
  "horizontalPodAutoscaler",
  "podDisruptionBudget",
];

/** By the end of a path; the longest wins. */
const SPECIAL: ReadonlyMap<string, Schema> = new Map([
  ["resources", RESOURCES],
  ["env", { type: "object", additionalProperties: SCALAR }],
  ["imagePullPolicy", PULL_POLICY],
  ["pullPolicy", PULL_POLICY],
  ["imagePullSecrets", texts()],
  ["excludeNamespaces", texts()],
  ["credentialNamespaces", texts()],
  ["excludedCRDs", texts()],
  ["revisionTags", texts()],
  ["ipFamilies", { type: "array", items: { enum: ["IPv4", "IPv6"] } }],
  ["ipFamilyPolicy", { enum: ["", "SingleStack", "PreferDualStack", "RequireDualStack"] }],
  ["resourceScope", { enum: ["all", "cluster", "namespace"] }],
  ["platform", { enum: ["", "gke", "k3d", "k3s", "microk8s", "minikube", "openshift"] }],
  ["gatewayAPICRDs", { enum: ["auto", "always", "never"] }],
  ["validationFailurePolicy", { enum: ["", "Fail", "Ignore"] }],
  ["provider", { enum: ["default", "multus"] }],
  // `--set revision=2` is a number to helm.
  [
    "revision",
    { type: ["string", "integer"], minimum: 0, pattern: "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$" },
  ],
  ["logging.level", LOG_LEVEL],
  ["proxy.logLevel", { enum: ["error", "warning", "warn", "info", "debug", "trace", "off"] }],
  ["replicaCount", COUNT],
  ["autoscaleMin", COUNT],
  ["autoscaleMax", COUNT],
  ["targetAverageUtilization", COUNT],
  ["memory", closed({ targetAverageUtilization: COUNT })],
  ["resourceQuotas.pods", COUNT],
  ["terminationGracePeriodSeconds", { type: "integer", minimum: 1, maximum: 86_400 }],
  // Flags give decimals as text.
  [
    "traceSampling",
    { type: ["number", "string"], pattern: "^[0-9]{1,3}(\\.[0-9]{1,6})?$", minimum: 0, maximum: 100 },
  ],
  ["rollingMaxSurge", COUNT_OR_PERCENT],
  ["rollingMaxUnavailable", COUNT_OR_PERCENT],
  [
    "pdb",
    closed({
      minAvailable: COUNT_OR_PERCENT,
      maxUnavailable: COUNT_OR_PERCENT,
      unhealthyPodEvictionPolicy: { enum: ["", "IfHealthyBudget", "AlwaysAllow"] },
    }),
  ],
  ["meshConfig", { type: "object", properties: { trustDomain: { type: "string" }, defaultConfig: MAP } }],
  ["updateStrategy", MAP],
  ["seccompProfile", MAP],
  ["podAnnotations", MAP],
  [
    "gatewayClasses",
    {
      type: "object",
      additionalProperties: closed(Object.fromEntries(CLASS_PARTS.map((part) => [part, MAP]))),
    },
  ],
]);

/** Keys under which a chart takes what is its own, besides at the top. */
const OWN_KEYS: ReadonlyMap<string, string> = new Map([
  ["istiod", "pilot"],
  ["cni", "cni"],
  ["ztunnel", "ztunnel"],
]);

function closed(properties: Schema): Schema {
  return { type: "object", properties, additionalProperties: false };
}

function texts(): Schema {
  return { type: "array", items: { type: "string" } };
}

/** What is under `global` goes to every chart, so each takes the others' too. */
export function schemaOfChart(chart: ChartSource, all: readonly ChartSource[]): Schema {
  const own = { ...(shapeOf(chart.defaults, "", withRefused(chart.refused))["properties"] as Tree) };
  delete own["global"];
  const ownKey = OWN_KEYS.get(chart.name);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `Values of chart ${chart.name}`,
    ...closed({
      ...own,
      global: globalSchema(all),
      ...(ownKey !== undefined && { [ownKey]: closed(own) }),
      enabled: { type: "boolean" },
      _internal_defaults_do_not_set: MAP,
    }),
  };
}

export function schemaOfUmbrella(all: readonly ChartSource[]): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of chart ambient",
    ...closed({
      ...Object.fromEntries(all.map(({ name }) => [name, MAP])),
      global: globalSchema(all),
    }),
  };
}

function globalSchema(all: readonly ChartSource[]): Schema {
  const union = all.reduce<Tree>((merged, { defaults }) => merge(merged, tree(defaults["global"])), {
    profile: "",
    platform: "",
  });
  const refused = all.flatMap((chart) => chart.refused);
  return tree(tree(shapeOf({ global: union }, "", withRefused(refused))["properties"])["global"]);
}

/** Paths that pass here, for the templates say more than a schema can. */
function withRefused(refused: ChartSource["refused"]): ReadonlySet<string> {
  return new Set(refused.flatMap(({ paths }) => paths));
}

function shapeOf(value: Json, path: string, refused: ReadonlySet<string>): Schema {
  const special = specialOf(path);
  if (special !== undefined) return special;
  if (typeof value === "boolean") return { type: "boolean" };
  if (typeof value === "number") return { type: "number" };
  if (Array.isArray(value)) return { type: "array" };
  if (typeof value !== "object" || value === null) return TEXT;
  const passing = [...refused].filter((each) => path === "" || each.startsWith(`${path}.`));
  const entries = Object.entries(value);
  if (entries.length === 0 && passing.length === 0) return MAP;
  const properties: Record<string, Json> = Object.fromEntries(
    entries.map(([key, below]) => [key, shapeOf(below, path === "" ? key : `${path}.${key}`, refused)]),
  );
  for (const each of passing) {
    const rest = path === "" ? each : each.slice(path.length + 1);
    const [key = ""] = rest.split(".");
    const at = path === "" ? key : `${path}.${key}`;
    // Of `global`, only what belongs under it is looked at there.
    if (!Object.hasOwn(properties, key)) properties[key] = rest === key ? {} : shapeOf({}, at, refused);
  }
  return closed(properties);
}

function specialOf(path: string): Schema | undefined {
  const words = path.split(".");
  for (let from = 0; from < words.length; from++) {
    const found = SPECIAL.get(words.slice(from).join("."));
    if (found !== undefined) return found;
  }
  return undefined;
}

function tree(value: Json): Tree {
  return (value ?? {}) as Tree;
}

function merge(lower: Tree, upper: Tree): Tree {
  const merged: Record<string, Json> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const below = merged[key];
    const areTrees = [below, value].every(
      (each) => typeof each === "object" && each !== null && !Array.isArray(each),
    );
    merged[key] = areTrees ? merge(below as Tree, value as Tree) : value;
  }
  return merged;
}
