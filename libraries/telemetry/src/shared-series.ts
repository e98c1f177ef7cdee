/**
 * Families whose series come with labels written already, and which share them: one label set carries a cell of each family.
 * For families whose label names differ from series to series, and for data paths that keep the cells once found. Label sets
 * are bounded together, and forgotten together once nothing was counted into any of their cells for a while.
 */

import {
  type Counter,
  CounterCell,
  type Histogram,
  HistogramCell,
  histogramSamples,
  scalarSample,
} from "./cells.ts";
import type { FamilyBase, MetricOptions, ReadableFamily } from "./family.ts";
import { counterName, helpText } from "./family-text.ts";

export interface SharedSeriesOptions {
  /** Label sets that are kept at once. */
  readonly maxLabelSets: number;
  /** A label set is forgotten after so many sweeps in which nothing was counted. */
  readonly idleSweeps: number;
}

export type SharedMetricOptions = Omit<MetricOptions, "labels" | "maxLabelSets">;

export interface SharedFamily<C> {
  /** Index among the cells of a label set. */
  readonly name: string;
  /** The cell of a label set, made on first use; undefined once the group is full: what is not kept is counted as refused. */
  cell(labelText: string): C | undefined;
}

export interface SharedSeries {
  counter(options: SharedMetricOptions): SharedFamily<Counter>;
  /** `buckets`: upper bounds, ascending, without +Inf. */
  histogram(options: SharedMetricOptions & { readonly buckets: readonly number[] }): SharedFamily<Histogram>;
  /** True when label sets were forgotten: cells taken before may not be exposed any more, take them again. */
  sweep(): boolean;
  readonly labelSets: number;
}

type Cell = CounterCell | HistogramCell;

class LabelSet {
  readonly cells: (Cell | undefined)[] = [];
  #activity = 0;
  #idleSweeps = 0;

  /** Returns for how many sweeps, this one included, nothing was counted. */
  sweep(): number {
    let activity = 0;
    for (const cell of this.cells) {
      if (cell !== undefined) activity += cell instanceof CounterCell ? cell.value : cell.count;
    }
    this.#idleSweeps = activity === this.#activity ? this.#idleSweeps + 1 : 0;
    this.#activity = activity;
    return this.#idleSweeps;
  }
}

/** Registers a family; the registry refuses a name that it has. */
type Register = <F extends ReadableFamily>(
  options: MetricOptions<string>,
  make: (base: FamilyBase) => F,
) => F;

export function createSharedSeries(options: SharedSeriesOptions, register: Register): SharedSeries {
  const sets = new Map<string, LabelSet>();
  let families = 0;

  const labelSet = (text: string): LabelSet | undefined => {
    const known = sets.get(text);
    if (known !== undefined) return known;
    if (sets.size >= options.maxLabelSets) return undefined;
    const made = new LabelSet();
    sets.set(text, made);
    return made;
  };

  const family = <C extends Cell>(
    given: SharedMetricOptions,
    type: "counter" | "histogram",
    makeCell: () => C,
    text: (labelText: string, cell: C) => string,
  ): SharedFamily<C> => {
    const index = families++;
    return register(given, ({ onOverflow }): ReadableFamily & SharedFamily<C> => ({
      name: type === "counter" ? counterName(given.name) : given.name,
      type,
      help: helpText(given),
      cell(labelText) {
        const set = labelSet(labelText);
        if (set === undefined) {
          onOverflow();
          return undefined;
        }
        // Only this family writes at its index.
        const cell = (set.cells[index] as C | undefined) ?? makeCell();
        set.cells[index] = cell;
        return cell;
      },
      *samples() {
        for (const [labelText, { cells }] of sets) {
          const cell = cells[index];
          if (cell !== undefined) yield text(labelText, cell as C);
        }
      },
    }));
  };

  return {
    counter(given) {
      const sample = `${counterName(given.name)}_total`;
      return family(
        given,
        "counter",
        () => new CounterCell(),
        (labelText, { value }) => scalarSample(sample, labelText, value),
      );
    },
    histogram(given) {
      return family(
        given,
        "histogram",
        () => new HistogramCell(given.buckets),
        (labelText, cell) => histogramSamples(given.name, labelText, cell),
      );
    },
    sweep() {
      const before = sets.size;
      for (const [text, set] of sets) if (set.sweep() >= options.idleSweeps) sets.delete(text);
      return sets.size < before;
    },
    get labelSets() {
      return sets.size;
    },
  };
}
