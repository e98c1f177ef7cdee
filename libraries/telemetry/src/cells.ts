/** Numbers that are counted into, and how they are printed. */

export interface Counter {
  /** Adds `amount`, which must not be negative. */
  inc(amount?: number): void;
  readonly value: number;
}

export interface Gauge {
  set(value: number): void;
  add(amount: number): void;
  readonly value: number;
}

export interface Histogram {
  /** Counts one observation, in the unit of the metric's name. */
  observe(value: number): void;
}

export class CounterCell implements Counter {
  value = 0;
  inc(amount = 1): void {
    this.value += amount;
  }
}

export class GaugeCell implements Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
  add(amount: number): void {
    this.value += amount;
  }
}

export class HistogramCell implements Histogram {
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulated; the last one is +Inf. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.count++;
    this.sum += value;
  }
}

/** One line. `labelText`: `a="b",c="d"`, without braces; empty when there is no label. */
export function scalarSample(name: string, labelText: string, value: number): string {
  return `${name}${braces(labelText)} ${numberText(value)}\n`;
}

export function histogramSamples(name: string, labelText: string, cell: HistogramCell): string {
  const labels = braces(labelText);
  let text = `${name}_sum${labels} ${numberText(cell.sum)}\n${name}_count${labels} ${cell.count}\n`;
  const open = `${name}_bucket{${labelText === "" ? "" : `${labelText},`}le="`;
  let total = 0;
  for (const [index, count] of cell.counts.entries()) {
    total += count;
    const bound = cell.bounds[index];
    text += `${open}${bound === undefined ? "+Inf" : boundText(bound)}"} ${total}\n`;
  }
  return text;
}

function braces(labelText: string): string {
  return labelText === "" ? "" : `{${labelText}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** Bucket bounds are floats in OpenMetrics: 1 is printed as 1.0. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : numberText(bound);
}
