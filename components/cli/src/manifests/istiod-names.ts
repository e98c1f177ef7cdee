/** What the control plane's objects are called, and how many of it there are. Pure. */

import { type ChartContext, flag, type Labels, ownerLabels, revisionSuffix, text } from "./objects.ts";
import type { Tree } from "./tree.ts";

/** `istiod`, or `istiod-<revision>`. */
export function istiodName(values: Tree): string {
  return `istiod${revisionSuffix(values)}`;
}

export function istiodLabels(values: Tree): Labels {
  return { ...ownerLabels(values, "Pilot", "istiod"), app: "istiod", istio: "pilot" };
}

/** Pods of this control plane, told apart from those of other revisions as Istio does. */
export function istiodSelector(values: Tree): Labels {
  const revision = text(values, "revision");
  return revision === "" ? { istio: "pilot" } : { app: "istiod", "istio.io/rev": revision };
}

export function autoscales({ values, facts }: ChartContext): boolean {
  return flag(values, "autoscaleEnabled") && facts.served.has("autoscaling/v2");
}

/** replicaCount is the floor of the autoscaler. */
export function fewestReplicas(values: Tree): number {
  const count = Number(text(values, "replicaCount"));
  return flag(values, "autoscaleEnabled") ? Math.max(Number(text(values, "autoscaleMin")), count) : count;
}
