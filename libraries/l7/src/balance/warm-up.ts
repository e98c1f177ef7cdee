/** Slow start of new endpoints (Envoy's `slow_start_config`; reference: l7-and-cli §2.5 `warmup`). */

import type { Warmup } from "@meltemi/model/l7";
import type { BalancedEndpoint } from "./endpoint.ts";

/** What part of its weight an endpoint takes, from above 0 to 1. */
export function warmUpShare(warmup: Warmup, ageMs: number): number {
  if (ageMs >= warmup.durationMs) return 1;
  // Envoy's own floor: at age zero the power would be zero, whatever the aggression.
  const elapsed = Math.max(1, ageMs) / warmup.durationMs;
  const grown = elapsed ** (1 / warmup.aggression);
  return Math.min(1, Math.max(warmup.minimumPercent / 100, grown));
}

/** So many cold endpoints in a row are passed over; then one is taken cold: when all are new, one must be. */
const MAX_PASSED_OVER = 16;

/**
 * Draws until an endpoint is drawn that is warm, or warm enough for this request: each is left out in proportion to what it lacks,
 * which gives it its share of whatever `draw` deals.
 */
export function drawWarm<E extends BalancedEndpoint>(
  warmup: Warmup | undefined,
  nowMs: number,
  random: () => number,
  draw: () => E | undefined,
): E | undefined {
  let drawn = draw();
  if (warmup === undefined) return drawn;
  for (let passed = 0; drawn !== undefined && passed < MAX_PASSED_OVER; passed++) {
    const share = warmUpShare(warmup, nowMs - drawn.sinceMs);
    if (share >= 1 || random() < share) return drawn;
    drawn = draw();
  }
  return drawn;
}
