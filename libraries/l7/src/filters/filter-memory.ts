/** What filters remember from one configuration to the next: verified tokens, and how full buckets are. */

import type { Clock } from "@meltemi/runtime";

export class FilterMemory {
  readonly clock: Clock;

  constructor(deps: { readonly clock: Clock }) {
    this.clock = deps.clock;
  }
}
