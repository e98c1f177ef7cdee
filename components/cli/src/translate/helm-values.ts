/** An IstioOperator's `spec` as values of the helm charts (reference: l7-and-cli §3.1, §6). Pure. */

import { overlay, type Tree } from "../manifests/values.ts";
import { isJson, jsonAt, textAt } from "../output/json.ts";

export type ChartName = "base" | "istiod" | "cni" | "ztunnel";

export interface ChartValues {
  readonly chart: ChartName;
  /** As Istio's guides call it. */
  readonly release: string;
  readonly namespace: string;
  readonly values: Tree;
}

export interface Translation {
  /** In the order of installation. */
  readonly charts: readonly ChartValues[];
  /** What has no place in a chart's values. */
  readonly problems: readonly string[];
}

/** Component of the IstioOperator → its chart, in the order of installation. */
const CHARTS = [
  { component: "base", chart: "base", release: "istio-base" },
  { component: "pilot", chart: "istiod", release: "istiod" },
  { component: "cni", chart: "cni", release: "istio-cni" },
  { component: "ztunnel", chart: "ztunnel", release: "ztunnel" },
] as const;

/** Those of the node are in ambient profiles only; `empty` has none. */
const NODE_PROFILES = new Set(["ambient", "openshift-ambient"]);
/** Keys of `values` whose content is a chart's own, without the key. */
const OWN_VALUES: Readonly<Record<string, ChartName>> = { pilot: "istiod", cni: "cni", ztunnel: "ztunnel" };
/** Keys of `values` that a chart has under the same key. */
const KEPT_VALUES: Readonly<Record<string, readonly ChartName[]>> = {
  base: ["base"],
  defaultRevision: ["base"],
  gatewayClasses: ["istiod"],
  istiodRemote: ["istiod"],
  revisionTags: ["istiod"],
  sidecarInjectorWebhook: ["istiod"],
  telemetry: ["istiod"],
  global: ["base", "istiod", "cni", "ztunnel"],
  profile: ["base", "istiod", "cni", "ztunnel"],
};
/** Keys of the spec that every chart has under the same key. */
const COMMON = ["profile", "revision", "compatibilityVersion"] as const;
const READ = new Set<string>([...COMMON, "hub", "tag", "namespace", "meshConfig", "components", "values"]);
const DEFAULT_NAMESPACE = "istio-system";

/** `spec`: files and flags, overlaid. */
export function helmValues(spec: Tree): Translation {
  const problems = Object.keys(spec)
    .filter((key) => !READ.has(key))
    .map((key) => `${key}: no chart has a value for it`);
  const values = jsonAt(spec, "values") ?? {};
  for (const key of Object.keys(values))
    if (!Object.hasOwn(OWN_VALUES, key) && !Object.hasOwn(KEPT_VALUES, key))
      problems.push(`values.${key}: no chart of ours has it`);
  problems.push(...componentProblems(jsonAt(spec, "components") ?? {}));
  const charts = CHARTS.filter(({ component }) => isEnabled(component, spec)).map(
    ({ component, chart, release }): ChartValues => ({
      chart,
      release,
      namespace: namespaceOfChart(component, spec),
      values: valuesOfChart(chart, spec, values),
    }),
  );
  return { charts, problems };
}

function isEnabled(component: (typeof CHARTS)[number]["component"], spec: Tree): boolean {
  const asked = textAt(jsonAt(jsonAt(spec, "components"), component), "enabled");
  if (asked !== "") return asked === "true";
  const profile = textAt(spec, "profile") || "default";
  if (profile === "empty") return false;
  return component === "base" || component === "pilot" || NODE_PROFILES.has(profile);
}

function namespaceOfChart(component: string, spec: Tree): string {
  return (
    textAt(jsonAt(jsonAt(spec, "components"), component), "namespace") ||
    textAt(jsonAt(jsonAt(spec, "values"), "global"), "istioNamespace") ||
    textAt(spec, "namespace") ||
    DEFAULT_NAMESPACE
  );
}

function valuesOfChart(chart: ChartName, spec: Tree, values: Tree): Tree {
  let result: Tree = {};
  const add = (tree: Tree): void => {
    result = overlay(result, tree);
  };
  for (const key of COMMON) if (spec[key] !== undefined && spec[key] !== "") add({ [key]: spec[key] });
  const image = { ...pick(spec, "hub"), ...pick(spec, "tag") };
  if (Object.keys(image).length > 0) add({ global: image });
  for (const [key, content] of Object.entries(values)) {
    if (Object.hasOwn(OWN_VALUES, key)) {
      if (OWN_VALUES[key] === chart && isJson(content)) add(content);
    } else if (KEPT_VALUES[key]?.includes(chart) === true) add({ [key]: content });
  }
  if (isJson(spec["meshConfig"]) && (chart === "istiod" || chart === "ztunnel"))
    add({ meshConfig: spec["meshConfig"] });
  return result;
}

function pick(spec: Tree, key: string): Tree {
  return spec[key] === undefined || spec[key] === "" ? {} : { [key]: spec[key] };
}

/** `k8s` patches what is rendered, which helm leaves to its own tools. */
function componentProblems(components: Tree): readonly string[] {
  return Object.entries(components).flatMap(([name, component]) => {
    const known = CHARTS.find((one) => one.component === name);
    if (known === undefined) return [`components.${name}: there is no chart of ours for it`];
    if (!isJson(component)) return [`components.${name}: expected a map`];
    return Object.keys(component)
      .filter((key) => !["enabled", "namespace", "hub", "tag"].includes(key))
      .map(
        (key) =>
          `components.${name}.${key}: no value of a chart; set the like of it in the values of chart ${known.chart}, or patch with helm --post-renderer`,
      );
  });
}
