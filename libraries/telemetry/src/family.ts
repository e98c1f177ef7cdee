/**
 * Metric families of the data path. A label set is looked up once (per connection, not per byte) and gives a cell:
 * a plain object with a number in it, so that counting costs one addition. Nothing here formats text but the label
 * part of a sample, once, when its cell is made.
 */

import { MeshError } from "@meltemi/runtime";
import {
  type Counter,
  CounterCell,
  type Gauge,
  GaugeCell,
  type Histogram,
  HistogramCell,
  histogramSamples,
  scalarSample,
} from "./cells.ts";
import { counterName, helpText } from "./family-text.ts";
import { isLabelName, labelText } from "./label-text.ts";

/** Values of one label set. A label that is absent or undefined is left out of the sample; an empty value is kept. */
export type LabelValues<L extends string> = Readonly<Partial<Record<L, string | undefined>>>;

export interface MetricOptions<L extends string = never> {
  /** Name of the family; for counters with or without `_total`. */
  readonly name: string;
  readonly help: string;
  /** False or absent: HELP ends with `(unstable)`, as Istio marks every metric it does not promise to keep. */
  readonly stable?: boolean;
  /** Label names in the order in which they are printed. */
  readonly labels?: readonly L[];
  /**
   * Another maker's counter, printed under its name as it stands: OpenMetrics knows counters by their `_total` alone, so that one
   * without is of type `unknown` there.
   */
  readonly isForeignName?: boolean;
  /** Label sets kept for this family; default {@link DEFAULT_MAX_LABEL_SETS}. */
  readonly maxLabelSets?: number;
}

/** A label set of the TCP metrics takes about 1.5 KB: ten thousand keep one family under 16 MB, whatever clients do. */
const DEFAULT_MAX_LABEL_SETS = 10_000;

export interface Family<L extends string, C> {
  readonly name: string;
  /** The cell of a label set, made on first use; the shared overflow cell once the family is full. */
  labels(values?: LabelValues<L>): C;
  /** Forgets a label set, for series whose subject is gone. */
  remove(values: LabelValues<L>): void;
}

/** What the exposition reads. */
export interface ReadableFamily {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "unknown";
  readonly help: string;
  /** The samples of one label set after another: whole lines, each with its newline. */
  samples(): Iterable<string>;
}

interface Series<C> {
  /** `a="b",c="d"`, without braces; empty when there is no label. */
  readonly labelText: string;
  readonly cell: C;
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Interned label sets of one family, bounded. */
class SeriesTable<L extends string, C> {
  readonly #labelNames: readonly L[];
  readonly #max: number;
  readonly #makeCell: () => C;
  readonly #onOverflow: () => void;
  readonly #series = new Map<string, Series<C>>();
  /** Takes the counts of label sets beyond the bound; never exposed. */
  #overflow: C | undefined;

  constructor(options: MetricOptions<L>, makeCell: () => C, onOverflow: () => void) {
    this.#labelNames = options.labels ?? [];
    this.#max = options.maxLabelSets ?? DEFAULT_MAX_LABEL_SETS;
    this.#makeCell = makeCell;
    this.#onOverflow = onOverflow;
  }

  cell(values: LabelValues<L>): C {
    const key = this.#key(values);
    const known = this.#series.get(key);
    if (known !== undefined) return known.cell;
    if (this.#series.size >= this.#max) {
      this.#onOverflow();
      this.#overflow ??= this.#makeCell();
      return this.#overflow;
    }
    const cell = this.#makeCell();
    this.#series.set(key, { labelText: this.#labelText(values), cell });
    return cell;
  }

  remove(values: LabelValues<L>): void {
    this.#series.delete(this.#key(values));
  }

  all(): Iterable<Series<C>> {
    return this.#series.values();
  }

  /** Lengths make the key unambiguous whatever bytes a peer puts into a value. */
  #key(values: LabelValues<L>): string {
    let key = "";
    for (const name of this.#labelNames) {
      const value = values[name];
      key += value === undefined ? "-;" : `${value.length}:${value};`;
    }
    return key;
  }

  #labelText(values: LabelValues<L>): string {
    const pairs: string[] = [];
    for (const name of this.#labelNames) {
      const value = values[name];
      if (value !== undefined) pairs.push(labelText(name, value));
    }
    return pairs.join(",");
  }
}

/** Refuses a definition that could not be printed. */
export function checkDefinition(options: MetricOptions<string>): void {
  if (!METRIC_NAME.test(options.name))
    throw new MeshError(
      "CONFIG_INVALID",
      `define metric ${JSON.stringify(options.name)}: expected a name like istio_build`,
    );
  for (const label of options.labels ?? []) {
    if (!isLabelName(label))
      throw new MeshError(
        "CONFIG_INVALID",
        `define metric ${options.name}: label ${JSON.stringify(label)} is not a label name`,
      );
  }
}

export interface FamilyBase {
  readonly onOverflow: () => void;
}

export function createCounterFamily<L extends string>(
  options: MetricOptions<L>,
  base: FamilyBase,
): Family<L, Counter> & ReadableFamily {
  if (options.isForeignName === true)
    return scalarFamily(options, "unknown", "", () => new CounterCell(), base);
  return scalarFamily(options, "counter", "_total", () => new CounterCell(), base);
}

export function createGaugeFamily<L extends string>(
  options: MetricOptions<L>,
  base: FamilyBase,
): Family<L, Gauge> & ReadableFamily {
  return scalarFamily(options, "gauge", "", () => new GaugeCell(), base);
}

function scalarFamily<L extends string, C extends { readonly value: number }>(
  options: MetricOptions<L>,
  type: "counter" | "gauge" | "unknown",
  suffix: string,
  makeCell: () => C,
  base: FamilyBase,
): Family<L, C> & ReadableFamily {
  const table = new SeriesTable<L, C>(options, makeCell, base.onOverflow);
  const name = type === "counter" ? counterName(options.name) : options.name;
  return {
    name,
    type,
    help: helpText(options),
    labels: (values = {} as LabelValues<L>) => table.cell(values),
    remove: (values) => table.remove(values),
    *samples() {
      for (const { labelText, cell } of table.all())
        yield scalarSample(`${name}${suffix}`, labelText, cell.value);
    },
  };
}

export function createHistogramFamily<L extends string>(
  options: MetricOptions<L> & { readonly buckets: readonly number[] },
  base: FamilyBase,
): Family<L, Histogram> & ReadableFamily {
  const bounds = [...options.buckets].sort((a, b) => a - b);
  const table = new SeriesTable<L, HistogramCell>(options, () => new HistogramCell(bounds), base.onOverflow);
  return {
    name: options.name,
    type: "histogram",
    help: helpText(options),
    labels: (values = {} as LabelValues<L>) => table.cell(values),
    remove: (values) => table.remove(values),
    *samples() {
      for (const { labelText, cell } of table.all()) yield histogramSamples(options.name, labelText, cell);
    },
  };
}
