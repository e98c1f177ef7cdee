/** Runs one probe of one container at its period, and tells when the verdict changes. */

import type { Clock, Timer } from "@meltemi/runtime";
import { NEW_PROBE, type ProbeState, type ProbeTiming, stepProbe } from "./probe-state.ts";
import type { ProbeOutcome } from "./run-probe.ts";

export interface ProberDependencies {
  readonly clock: Clock;
  readonly probe: () => Promise<ProbeOutcome>;
  /** Called with every change of the verdict. */
  readonly onVerdict: (verdict: "success" | "failure") => void;
  /** Called with every failed try; not with those of an eager prober before the first period is over. */
  readonly onFailure: (message: string) => void;
}

export interface ProberOptions extends ProbeTiming {
  /**
   * Until the first success, ask more often than the period says: a program that starts in 50 ms is then ready in 50 ms, not in
   * ten seconds. Only for probes whose failure has no consequence.
   */
  readonly eager: boolean;
}

const EAGER_FIRST_MS = 25;

export interface Prober {
  stop(): void;
}

export function startProber(timing: ProberOptions, deps: ProberDependencies): Prober {
  let state: ProbeState = NEW_PROBE;
  let stopped = false;
  let tries = 0;
  let hasSucceeded = !timing.eager;
  const firstPeriodEndsMs = deps.clock.monotonicMs() + timing.initialDelayMs + timing.periodMs;
  let timer: Timer = deps.clock.after(timing.initialDelayMs, () => void tick());

  async function tick(): Promise<void> {
    const startedAtMs = deps.clock.monotonicMs();
    const outcome = await deps.probe();
    if (stopped) return;
    const before = state.verdict;
    state = stepProbe(state, timing, outcome.kind);
    hasSucceeded ||= outcome.kind === "success";
    if (outcome.kind === "failure" && (hasSucceeded || startedAtMs >= firstPeriodEndsMs))
      deps.onFailure(outcome.message);
    if (state.verdict !== before && state.verdict !== "unknown") deps.onVerdict(state.verdict);
    if (stopped) return;
    const passedMs = deps.clock.monotonicMs() - startedAtMs;
    const everyMs = hasSucceeded ? timing.periodMs : Math.min(timing.periodMs, EAGER_FIRST_MS * 2 ** tries++);
    timer = deps.clock.after(Math.max(0, everyMs - passedMs), () => void tick());
  }

  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}
