/** What the controllers read off a pod. */

import type { Pod } from "@meltemi/kubernetes";
import { isTerminating } from "./ownership.ts";

/** Neither finished nor on its way out: it counts as a replica. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod);
}

export function isFinished(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed";
}

export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find((condition) => condition.type === "Ready");
}

export type Availability =
  | { readonly kind: "available" }
  | { readonly kind: "unavailable" }
  /** Ready, but not for long enough yet. */
  | { readonly kind: "soon"; readonly inMs: number };

/** A pod is available once it has been ready for `minReadySeconds`. */
export function availabilityOf(pod: Pod, minReadySeconds: number, nowMs: number): Availability {
  const condition = readyCondition(pod);
  if (condition?.status !== "True") return { kind: "unavailable" };
  if (minReadySeconds === 0) return { kind: "available" };
  const readySinceMs = Date.parse(condition.lastTransitionTime ?? "");
  const inMs = readySinceMs + minReadySeconds * 1000 - nowMs;
  return inMs > 0 ? { kind: "soon", inMs } : { kind: "available" };
}

/** The earliest time at which one of the pods becomes available by waiting; undefined when none does. */
export function nextAvailableMs(
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  const waits = pods
    .map((pod) => availabilityOf(pod, minReadySeconds, nowMs))
    .flatMap((availability) => (availability.kind === "soon" ? [availability.inMs] : []));
  return waits.length === 0 ? undefined : Math.min(...waits);
}
