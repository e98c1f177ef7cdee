/** What judging a rule may cost at most, known before it is judged: the server has one thread. Pure. */

import type { RuleShape } from "./cel-source.ts";
import type { CelValue } from "./cel-value.ts";

/** Steps for one rule on one value, and for all rules of one object (Kubernetes: 1 and 10 million cost units). */
export const MAX_RULE_COST = 1_000_000;
export const MAX_OBJECT_COST = 10_000_000;

/** Characters that cost as much as one step of a loop: compared as they are, and held against a pattern. */
const CHARACTERS_A_STEP = 4_096;
const MATCHED_CHARACTERS_A_STEP = 16;

export interface Extent {
  /** Entries of the largest list or map. */
  entries: number;
  /** Characters of the longest text. */
  characters: number;
}

/** Of a value with all that is in it; the larger of it and of what `extent` has. */
export function measure(value: CelValue | undefined, extent: Extent = { entries: 1, characters: 0 }): Extent {
  if (typeof value === "string") extent.characters = Math.max(extent.characters, value.length);
  if (typeof value !== "object" || value === null) return extent;
  if (value instanceof Date || value instanceof Uint8Array) return extent;
  const children: readonly CelValue[] = Array.isArray(value)
    ? value
    : value instanceof Map
      ? [...value.values()]
      : Object.values(value);
  extent.entries = Math.max(extent.entries, children.length);
  for (const child of children) measure(child, extent);
  return extent;
}

/** Every loop over the largest collection, every step over the longest text. */
export function costBound(shape: RuleShape, extent: Extent): number {
  const entries = Math.max(extent.entries, shape.spelledEntries, shape.splits ? extent.characters : 0);
  const aStep = shape.matches ? MATCHED_CHARACTERS_A_STEP : CHARACTERS_A_STEP;
  return entries ** shape.loopDepth * (1 + extent.characters / aStep);
}
