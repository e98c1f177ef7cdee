/** Faults that a route injects (reference: l7-and-cli §2.4 `fault`). Headers of the client (`x-envoy-fault-*`) change nothing. */

import type { Fault } from "@meltemi/model/l7";
import { happens } from "./chance.ts";

export interface FaultDecision {
  /** Before anything else happens; zero: at once. */
  readonly delayMs: number;
  readonly abort: NonNullable<Fault["abort"]>["status"] | undefined;
}

export const NO_FAULT: FaultDecision = { delayMs: 0, abort: undefined };

/** Delay and abort are drawn each on its own. */
export function decideFault(fault: Fault | undefined, random: () => number): FaultDecision {
  if (fault === undefined) return NO_FAULT;
  const { delay, abort } = fault;
  const delayMs = delay !== undefined && happens(delay.percent, random) ? delay.durationMs : 0;
  const isAborted = abort !== undefined && happens(abort.percent, random);
  return { delayMs, abort: isAborted ? abort.status : undefined };
}
