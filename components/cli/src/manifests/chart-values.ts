/**
 * The values that a chart is rendered with: defaults, then profile, then platform, then what was asked for. As deploy/helm/shared/_values.tpl
 * does it, so that one file of values means the same to helm and to install. Pure.
 */

import type { ChartName } from "./chart-facts.ts";
import { CHARTS, PROFILES } from "./generated/charts.ts";
import { overlay, sameJson, type Tree, treeAt, valueAt } from "./tree.ts";

/** Under these a chart takes what is its own, besides at the top. */
const OWN_KEYS: Readonly<Record<ChartName, string | undefined>> = {
  base: undefined,
  istiod: "pilot",
  cni: "cni",
  ztunnel: "ztunnel",
};

export interface MergedChart {
  readonly values: Tree;
  /** `path: why` of all that cannot be honoured. */
  readonly problems: readonly string[];
}

/** `asked`: values as helm takes them. */
export function mergeChart(chart: ChartName, asked: Tree): MergedChart {
  const problems: string[] = [];
  const key = OWN_KEYS[chart];
  const globals = chart === "ztunnel";
  const profile = nameOf(asked, "profile");
  const platform = nameOf(asked, "platform");
  let values = CHARTS[chart].defaults;
  for (const name of [profile === "default" ? "" : profile, platform === "" ? "" : `platform-${platform}`]) {
    if (name === "") continue;
    const layer = Object.hasOwn(PROFILES, name) ? PROFILES[name] : undefined;
    if (layer === undefined) problems.push(`${name}: no such profile or platform`);
    else values = overlayChart(values, layer, key, globals);
  }
  // What is of this chart alone wins over what is of all.
  if (globals) values = overlay(values, treeAt(asked, "global"));
  values = overlayChart(values, asked, key, false);
  problems.push(...refusalsOf(chart, values));
  return { values: { ...values, platform }, problems };
}

function overlayChart(values: Tree, layer: Tree, key: string | undefined, globals: boolean): Tree {
  let merged = overlay(values, layer);
  if (key !== undefined) merged = overlay(merged, treeAt(layer, key));
  return globals ? overlay(merged, treeAt(layer, "global")) : merged;
}

function nameOf(asked: Tree, key: string): string {
  return String(valueAt(asked, key) || valueAt(asked, `global.${key}`) || "");
}

function refusalsOf(chart: ChartName, values: Tree): readonly string[] {
  return CHARTS[chart].refused.flatMap(({ paths, accept, why }) =>
    paths.flatMap((path) => {
      const value = valueAt(values, path);
      if (value === undefined || accept.some((each) => sameJson(each, value))) return [];
      return [`${path}: ${JSON.stringify(value)} is refused: ${why}`];
    }),
  );
}
