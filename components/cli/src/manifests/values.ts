/**
 * What an installation is asked to be: a profile, overlaid by files and `--set` paths, read once into the values of every chart. The paths
 * are those of Istio's IstioOperator and charts (reference: l7-and-cli §3.1, §6), so that what users paste keeps working.
 */

import { type AskedChart, askedCharts } from "./asked-values.ts";
import type { ChartName } from "./chart-facts.ts";
import { mergeChart } from "./chart-values.ts";
import { checkValues } from "./check-values.ts";
import { CHARTS } from "./generated/charts.ts";
import { type ObjectOverlay, readOverlays } from "./object-overlays.ts";
import type { ComponentName } from "./objects.ts";
import { OPERATOR_SCHEMA } from "./operator-schema.ts";
import { readProfile } from "./profiles.ts";
import { isTree, overlay, type Tree, treeAt, valueAt } from "./tree.ts";

export type { Tree };
export { overlay };

export interface InstallValues {
  readonly profile: string;
  readonly tag: string;
  readonly revision: string;
  readonly istioNamespace: string;
  readonly components: readonly ComponentValues[];
}

export interface ComponentValues {
  readonly name: ComponentName;
  readonly chart: ChartName;
  readonly namespace: string;
  readonly isEnabled: boolean;
  /** Of the chart: defaults, profile, platform and what was asked for. */
  readonly values: Tree;
  /** Changes of what is rendered. */
  readonly overlays: readonly ObjectOverlay[];
}

export type ValuesResult =
  | { readonly kind: "ok"; readonly values: InstallValues }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

export type AskedResult =
  | { readonly kind: "ok"; readonly charts: readonly AskedChart[] }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * Overlays `layers` (files left to right, then one tree from the `--set` flags) on the profile they name
 * and reads the result. All problems are reported together; a path nobody reads is one of them, because a
 * misspelt value that is silently ignored is a production incident later.
 */
export function readInstallValues(layers: readonly Tree[]): ValuesResult {
  const asked = overlaid(layers);
  const read = readAsked(asked);
  if (read.kind === "invalid") return read;
  const { spec } = read;
  const problems: string[] = [...specProblems(spec)];
  const components = askedCharts(spec).map((one): ComponentValues => {
    const merged = mergeChart(one.chart, one.values);
    const overlays = readOverlays(treeAt(spec, `components.${one.component.toLowerCase()}.k8s`)["overlays"]);
    problems.push(
      ...one.problems,
      ...checkValues(one.values, CHARTS[one.chart].schema, "").map((text) => pathInValues(one.chart, text)),
    );
    problems.push(
      ...overlays.problems.map((text) => `components.${one.component.toLowerCase()}.k8s.${text}`),
    );
    if (one.isEnabled) problems.push(...merged.problems.map((text) => pathInValues(one.chart, text)));
    const { component: name, chart, namespace, isEnabled } = one;
    return { name, chart, namespace, isEnabled, values: merged.values, overlays: overlays.overlays };
  });
  const istiod = components.find(({ chart }) => chart === "istiod")?.values ?? {};
  if (valueAt(istiod, "istiodRemote.enabled") === true && !valueAt(istiod, "global.remotePilotAddress"))
    problems.push("values.global.remotePilotAddress: expected the address of the control plane, got none");
  if (problems.length > 0) return { kind: "invalid", problems: [...new Set(problems)] };
  return {
    kind: "ok",
    values: {
      profile: profileOf(asked),
      tag: String(valueAt(istiod, "tag") || valueAt(istiod, "global.tag")),
      revision: String(istiod["revision"] ?? ""),
      istioNamespace: String(valueAt(istiod, "global.istioNamespace")),
      components,
    },
  };
}

/** The same as values of the charts, as helm takes them. */
export function readAskedCharts(layers: readonly Tree[]): AskedResult {
  const read = readAsked(overlaid(layers));
  return read.kind === "ok" ? { kind: "ok", charts: askedCharts(read.spec) } : read;
}

type Read =
  | { readonly kind: "ok"; readonly spec: Tree }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

function readAsked(asked: Tree): Read {
  const profile = readProfile(profileOf(asked));
  const wrong = checkValues(asked, OPERATOR_SCHEMA, "");
  const problems = profile.kind === "refused" ? [profile.problem, ...wrong] : wrong;
  if (profile.kind === "refused" || problems.length > 0) return { kind: "invalid", problems };
  return { kind: "ok", spec: overlay(profile.tree, asked) };
}

const overlaid = (layers: readonly Tree[]): Tree =>
  layers.reduce<Tree>((merged, layer) => overlay(merged, layer), {});

function profileOf(asked: Tree): string {
  const { profile } = asked;
  return profile === undefined ? "default" : String(profile);
}

/** What an IstioOperator may ask for and no chart of ours has. */
function specProblems(spec: Tree): readonly string[] {
  const problems: string[] = [];
  if (spec["installPackagePath"])
    problems.push(
      "installPackagePath: the manifests are part of this program; for charts of your own use helm",
    );
  for (const kind of ["ingressGateways", "egressGateways"]) {
    const asked = valueAt(spec, `components.${kind}`);
    const gateways = Array.isArray(asked) ? asked : [asked];
    if (gateways.some((each) => isTree(each) && each["enabled"] === true))
      problems.push(
        `components.${kind}: a gateway is deployed for every Gateway object, not by the installation`,
      );
  }
  if (valueAt(spec, "values.base.gatewayAPICRDs") === "always")
    problems.push(
      "values.base.gatewayAPICRDs: always is helm's; install never takes definitions from somebody else",
    );
  if (valueAt(spec, "components.istiodRemote.enabled") === true)
    problems.push("components.istiodRemote: use profile remote, with values.global.remotePilotAddress");
  return problems;
}

/** A path of a chart as one of `values`. */
function pathInValues(chart: ChartName, problem: string): string {
  const [key = ""] = problem.split(/[.:]/);
  const shared = treeAt(OPERATOR_SCHEMA, "properties.values.properties");
  if (Object.hasOwn(shared, key)) return `values.${problem}`;
  const own = { base: "", istiod: "pilot.", cni: "cni.", ztunnel: "ztunnel." }[chart];
  return `values.${own}${problem}`;
}
