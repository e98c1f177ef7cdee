/** Pods that an eviction was allowed for, as the API server notes them in the budget's status. */
import type { Pod, PodDisruptionBudget } from "@meltemi/kubernetes";
import { isTerminating } from "./ownership.ts";

/** An evicted pod that is still there after this long was kept by somebody else: it counts again (as in Kubernetes). */
export const EVICTION_TIMEOUT_MS = 120_000;

/** Evictions that were allowed, of pods that do not know of it yet. */
export function pendingEvictions(
  { status }: PodDisruptionBudget,
  pods: readonly Pod[],
  nowMs: number,
): ReadonlySet<string> {
  const alive = new Set(pods.filter((pod) => !isTerminating(pod)).map((pod) => pod.metadata?.name));
  const pending = Object.entries(status?.disruptedPods ?? {}).filter(
    ([name, since]) => alive.has(name) && Date.parse(String(since)) + EVICTION_TIMEOUT_MS > nowMs,
  );
  return new Set(pending.map(([name]) => name));
}

/** A merge patch: what is over is taken out by null. */
export function settledEvictions(
  { status }: PodDisruptionBudget,
  pending: ReadonlySet<string>,
): object | null {
  const known = Object.entries(status?.disruptedPods ?? {});
  if (known.length === 0) return null;
  return Object.fromEntries(known.map(([name, since]) => [name, pending.has(name) ? since : null]));
}
