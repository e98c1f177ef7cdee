/** An IstioOperator's `spec` as values of the helm charts (reference: l7-and-cli §3.1, §6). Pure. */

import type { ChartName } from "../manifests/chart-facts.ts";
import type { InstallValues, Tree } from "../manifests/values.ts";
import { readAskedCharts } from "../manifests/values.ts";

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

const RELEASES: Readonly<Record<ChartName, string>> = {
  base: "istio-base",
  istiod: "istiod",
  cni: "istio-cni",
  ztunnel: "ztunnel",
};

/** `layers`: files and flags, which `installed` was read from. */
export function helmValues(layers: readonly Tree[], installed: InstallValues): Translation {
  const asked = readAskedCharts(layers);
  const charts = asked.kind === "ok" ? asked.charts.filter(({ isEnabled }) => isEnabled) : [];
  const { revision } = installed;
  return {
    charts: charts.map(({ chart, namespace, values }) => ({
      chart,
      release: chart === "istiod" && revision !== "" ? `${RELEASES[chart]}-${revision}` : RELEASES[chart],
      namespace,
      values,
    })),
    problems: installed.components
      .filter(({ isEnabled, overlays }) => isEnabled && overlays.length > 0)
      .map(
        ({ name, chart }) =>
          `components.${name.toLowerCase()}.k8s.overlays: they change what chart ${chart} renders; use helm's --post-renderer`,
      ),
  };
}
