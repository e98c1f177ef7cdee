/** Runs one probe of one container at its period, and tells when the verdict changes. */

import type { Clock, Timer } from "@meltemi/runtime";
import { NEW_PROBE, type ProbeState, type ProbeTiming, stepProbe } from "./probe-state.ts";
import type { ProbeOutcome } from "./run-probe.ts";

export interface ProberDependencies {
  readonly clock: Clock;
  readonly probe: () => Promise<ProbeOutcome>;
  /** Called with every change of the verdict. */
  readonly onVerdict: (verdict: "success" | "failure") => void;
  /** Called with every failed try. */
  readonly onFailure: (message: string) => void;
}

export interface Prober {
  stop(): void;
}

export function startProber(timing: ProbeTiming, deps: ProberDependencies): Prober {
  let state: ProbeState = NEW_PROBE;
  let stopped = false;
  let timer: Timer = deps.clock.after(timing.initialDelayMs, () => void tick());

  async function tick(): Promise<void> {
    const startedAtMs = deps.clock.monotonicMs();
    const outcome = await deps.probe();
    if (stopped) return;
    const before = state.verdict;
    state = stepProbe(state, timing, outcome.kind);
    if (outcome.kind === "failure") deps.onFailure(outcome.message);
    if (state.verdict !== before && state.verdict !== "unknown") deps.onVerdict(state.verdict);
    if (stopped) return;
    const passedMs = deps.clock.monotonicMs() - startedAtMs;
    timer = deps.clock.after(Math.max(0, timing.periodMs - passedMs), () => void tick());
  }

  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}
