/** What deploy/helm says of a chart, as generated/charts.ts holds it. */

import type { Tree } from "./tree.ts";

export type ChartName = "base" | "istiod" | "cni" | "ztunnel";

export interface ChartFacts {
  readonly defaults: Tree;
  readonly refused: readonly Refusal[];
  /** Rules of roles by the name of their file. */
  readonly rules: Readonly<Record<string, readonly Tree[]>>;
  /** JSON schema of the values; of its keywords: type, properties, additionalProperties, items, enum, pattern, minimum, maximum. */
  readonly schema: Tree;
}

/** Values at these paths that are none of `accept` cannot be honoured. */
export interface Refusal {
  readonly paths: readonly string[];
  readonly accept: readonly unknown[];
  readonly why: string;
}
