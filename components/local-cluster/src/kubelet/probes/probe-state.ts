/** When a probe's single results add up to a verdict. Pure. */

import type { Probe } from "../container/types.ts";

export interface ProbeTiming {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** Defaults: reference Kubernetes API, Probe. */
export function probeTiming(probe: Probe): ProbeTiming {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: Math.max(1, probe.periodSeconds ?? 10) * 1000,
    timeoutMs: Math.max(1, probe.timeoutSeconds ?? 1) * 1000,
    successThreshold: Math.max(1, probe.successThreshold ?? 1),
    failureThreshold: Math.max(1, probe.failureThreshold ?? 3),
  };
}

export interface ProbeState {
  /** Equal results in a row. */
  readonly run: number;
  readonly last: "success" | "failure" | undefined;
  readonly verdict: "unknown" | "success" | "failure";
}

export const NEW_PROBE: ProbeState = { run: 0, last: undefined, verdict: "unknown" };

export function stepProbe(state: ProbeState, timing: ProbeTiming, result: "success" | "failure"): ProbeState {
  const run = state.last === result ? state.run + 1 : 1;
  const threshold = result === "success" ? timing.successThreshold : timing.failureThreshold;
  return { run, last: result, verdict: run >= threshold ? result : state.verdict };
}
