/**
 * Finding what selects an object without trying every selector: an object with a selector is indexed under one of its
 * labels, and a candidate is looked for under each of its own.
 */

import type { Labels } from "./facts.ts";

/** Index value of a selector in a namespace. An empty selector, where it means everything, stands under `*`. */
export function selectorHint(namespace: string, selector: Labels): string {
  const first = Object.keys(selector).sort()[0];
  return first === undefined ? `${namespace}/*` : `${namespace}/${first}=${selector[first]}`;
}

/** Index values under which selectors that may match these labels stand. */
export function candidateHints(namespace: string, labels: Labels): readonly string[] {
  return [`${namespace}/*`, ...Object.entries(labels).map(([key, value]) => `${namespace}/${key}=${value}`)];
}

/** Every label of the selector is there. An empty selector matches everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
