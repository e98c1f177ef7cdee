/**
 * What one annotation gives a waypoint beyond Istio: two replicas apart from each other, a budget for voluntary disruptions, and an
 * autoscaler that lets go of one replica at a time. Overlays go on top of it.
 */

import type { Gateway } from "@meltemi/kubernetes";
import { annotationOf, HIGH_AVAILABILITY_ANNOTATION, type WaypointMetadata } from "./metadata.ts";
import { type Part, selectorOf } from "./render.ts";
import type { DeployerSettings } from "./settings.ts";
import type { Tree } from "./strategic-merge.ts";

const MIN_REPLICAS = 2;
const MAX_REPLICAS = 10;
const TARGET_CPU_PERCENT = 75;
/**
 * Kubernetes' default may take away every replica but the least within 15 s, and all long streams through them. One every two
 * minutes leaves each the time to drain, and clients the time to come back.
 */
const SCALE_DOWN = {
  stabilizationWindowSeconds: 300,
  selectPolicy: "Min",
  policies: [{ type: "Pods", value: 1, periodSeconds: 120 }],
} as const;

export function wantsHighAvailability(gateway: Gateway, settings: DeployerSettings): boolean {
  const asked = annotationOf(gateway, HIGH_AVAILABILITY_ANNOTATION);
  return asked === undefined ? settings.highAvailability : asked === "true";
}

/** By part, what is merged over the rendered object. */
export function highAvailabilityPatches(metadata: WaypointMetadata): ReadonlyMap<Part, Tree> {
  const apart = (topologyKey: string): Tree => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: selectorOf(metadata) },
    matchLabelKeys: ["pod-template-hash"],
  });
  const constraints = [apart("topology.kubernetes.io/zone"), apart("kubernetes.io/hostname")];
  return new Map<Part, Tree>([
    ["deployment", { spec: { template: { spec: { topologySpreadConstraints: constraints } } } }],
    [
      "horizontalPodAutoscaler",
      {
        spec: {
          minReplicas: MIN_REPLICAS,
          maxReplicas: MAX_REPLICAS,
          metrics: [
            {
              type: "Resource",
              resource: {
                name: "cpu",
                target: { type: "Utilization", averageUtilization: TARGET_CPU_PERCENT },
              },
            },
          ],
          behavior: { scaleDown: SCALE_DOWN },
        },
      },
    ],
    // Whatever the number of replicas, a node can be drained.
    ["podDisruptionBudget", { spec: { maxUnavailable: 1 } }],
  ]);
}
