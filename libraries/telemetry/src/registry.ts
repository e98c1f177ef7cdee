/** The metrics of one process and their OpenMetrics text (reference: protocol §7.1). */

import { MeshError } from "@meltemi/runtime";
import type { Counter, Gauge, Histogram } from "./cells.ts";
import {
  checkDefinition,
  createCounterFamily,
  createGaugeFamily,
  createHistogramFamily,
  type Family,
  type FamilyBase,
  type MetricOptions,
  type ReadableFamily,
} from "./family.ts";
import { createSharedSeries, type SharedSeries, type SharedSeriesOptions } from "./shared-series.ts";

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

export interface ExpositionPieces {
  readonly contentType: string;
  /** To be gone through once. */
  readonly pieces: Iterable<string>;
}

export interface Registry {
  counter<L extends string = never>(options: MetricOptions<L>): Family<L, Counter>;
  gauge<L extends string = never>(options: MetricOptions<L>): Family<L, Gauge>;
  /** `buckets`: upper bounds, without +Inf. */
  histogram<L extends string = never>(
    options: MetricOptions<L> & { readonly buckets: readonly number[] },
  ): Family<L, Histogram>;
  /** A group of families whose series share their label sets. */
  sharedSeries(options: SharedSeriesOptions): SharedSeries;
  /** Runs `collect` before every exposition: for values that are read rather than counted (open descriptors). */
  onCollect(collect: () => void): void;
  /** Text of all families that have samples. `accept` is the request's Accept header; it chooses only the content type. */
  exposition(accept: string | undefined): Exposition;
  /**
   * The same text in pieces, each made when it is taken: a proxy with a thousand series of requests has 60 MB of it, which would hold
   * up its traffic for a tenth of a second. What is counted in between stands in later pieces.
   */
  expositionPieces(accept: string | undefined): ExpositionPieces;
}

export function createRegistry(): Registry {
  const families = new Map<string, ReadableFamily>();
  const collectors: (() => void)[] = [];

  const register = <F extends ReadableFamily>(
    options: MetricOptions<string>,
    make: (base: FamilyBase) => F,
  ): F => {
    checkDefinition(options);
    const family = make({ onOverflow: () => overflow.labels({ family: family.name }).inc() });
    if (families.has(family.name))
      throw new MeshError("CONFLICT", `define metric ${family.name}: it is defined already`);
    families.set(family.name, family);
    return family;
  };

  // Made first, so that every other family can count into it. It is bounded by the number of families.
  const overflow: Family<"family", Counter> = register(OVERFLOW, (base) =>
    createCounterFamily(OVERFLOW, base),
  );

  return {
    counter: (options) => register(options, (base) => createCounterFamily(options, base)),
    gauge: (options) => register(options, (base) => createGaugeFamily(options, base)),
    histogram: (options) => register(options, (base) => createHistogramFamily(options, base)),
    sharedSeries: (options) => createSharedSeries(options, register),
    onCollect: (collect) => collectors.push(collect),
    exposition(accept) {
      for (const collect of collectors) collect();
      return {
        contentType: metricsContentType(accept),
        body: [...encodeFamilies(families.values())].join(""),
      };
    },
    expositionPieces(accept) {
      for (const collect of collectors) collect();
      return { contentType: metricsContentType(accept), pieces: encodeFamilies(families.values()) };
    },
  };
}

const OVERFLOW: MetricOptions<"family"> = {
  name: "meltemi_metrics_label_sets_refused",
  help: "Look-ups of label sets that were not kept because the family was full",
  labels: ["family"],
};

/** The body is OpenMetrics in either case; only who asks for that type is told so. */
export function metricsContentType(accept: string | undefined): string {
  const types = (accept ?? "").split(",").map((part) => part.split(";")[0]?.trim().toLowerCase());
  return types.includes("application/openmetrics-text")
    ? "application/openmetrics-text;charset=utf-8;version=1.0.0"
    : "text/plain; charset=utf-8";
}

/** About a tenth of a millisecond of work, and as much as a socket takes at once. */
const PIECE_LENGTH = 64 * 1024;

function* encodeFamilies(families: Iterable<ReadableFamily>): Generator<string> {
  let piece = "";
  for (const family of families) {
    let isFirst = true;
    for (const samples of family.samples()) {
      if (isFirst)
        piece += `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n`;
      isFirst = false;
      piece += samples;
      if (piece.length < PIECE_LENGTH) continue;
      yield piece;
      piece = "";
    }
  }
  yield `${piece}# EOF\n`;
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
