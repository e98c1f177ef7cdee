/** An IstioOperator's `spec` as values of the charts: what helm is given for the same installation. Pure. */

import type { ChartName } from "./chart-facts.ts";
import { readSettings } from "./component-settings.ts";
import { type ComponentName, filled } from "./objects.ts";
import { overlay, pick, type Tree, treeAt, valueAt } from "./tree.ts";

export interface AskedChart {
  readonly component: ComponentName;
  readonly chart: ChartName;
  readonly namespace: string;
  readonly isEnabled: boolean;
  /** As `helm install --values` takes them. */
  readonly values: Tree;
  /** What `components.<name>.k8s` says that no value can, or wrongly. */
  readonly problems: readonly string[];
}

const CHARTS = [
  { component: "Base", key: "base", chart: "base", own: undefined, enabled: true },
  { component: "Pilot", key: "pilot", chart: "istiod", own: "pilot", enabled: true },
  { component: "Cni", key: "cni", chart: "cni", own: "cni", enabled: false },
  { component: "Ztunnel", key: "ztunnel", chart: "ztunnel", own: "ztunnel", enabled: false },
] as const;

/** Keys of `values` that a chart takes as they are. */
const KEPT: Readonly<Record<ChartName, readonly string[]>> = {
  base: ["base", "defaultRevision", "experimental"],
  istiod: [
    ...["experimental", "gatewayClasses", "gateways", "istiodRemote", "meshConfig", "revisionTags"],
    ...["sidecarInjectorWebhook", "telemetry"],
  ],
  cni: [],
  ztunnel: ["meshConfig"],
};
/** Of the webhooks, which chart istiod has one of. */
const VALIDATION = ["validationURL", "validationCABundle", "validationFailurePolicy"] as const;
const EVERYWHERE = ["compatibilityVersion", "ownerName", "platform", "profile", "revision"] as const;
const DEFAULT_NAMESPACE = "istio-system";

/** In the order of installation: base → control plane → node agent → proxy. `spec` has passed its schema. */
export function askedCharts(spec: Tree): readonly AskedChart[] {
  const values = treeAt(spec, "values");
  const istioNamespace =
    textOf(values, "global.istioNamespace") ?? textOf(spec, "namespace") ?? DEFAULT_NAMESPACE;
  // A proxy that nobody leads pods to is never ready: whoever asks for it gets the node agent too, and may still say no.
  const hasProxy = valueAt(spec, "components.ztunnel.enabled") === true;
  return CHARTS.map(({ component, key, chart, own, enabled }): AskedChart => {
    const asked = treeAt(spec, `components.${key}`);
    const settings = readSettings(key, treeAt(asked, "k8s"));
    const layers = [
      pick(spec, ["revision", "compatibilityVersion"]),
      pick(values, EVERYWHERE),
      pick(values, KEPT[chart]),
      { global: { ...pick(spec, ["hub", "tag"]), istioNamespace } },
      { global: treeAt(values, "global") },
      KEPT[chart].includes("meshConfig") ? pick(spec, ["meshConfig"]) : {},
      chart === "istiod" ? controlPlaneLayer(spec) : {},
      // From here on what is of this chart alone.
      ...(own === undefined ? [] : [pick(asked, ["hub", "tag"]), treeAt(values, own), settings.values]),
    ];
    return {
      component,
      chart,
      namespace: textOf(asked, "namespace") ?? istioNamespace,
      isEnabled: (asked["enabled"] as boolean | undefined) ?? (key === "cni" ? hasProxy : enabled),
      values: layers.reduce(overlay, {}),
      problems: settings.problems,
    };
  });
}

/** What the control plane needs to know of the others. */
function controlPlaneLayer(spec: Tree): Tree {
  const proxies = textOf(spec, "components.ztunnel.namespace");
  return {
    ...filled("base", pick(treeAt(spec, "values.base"), VALIDATION)),
    // They ask for their pods' certificates from there.
    ...filled("trustedZtunnelNamespace", proxies),
  };
}

function textOf(tree: Tree, path: string): string | undefined {
  const value = valueAt(tree, path);
  return value === undefined || value === "" ? undefined : String(value);
}
