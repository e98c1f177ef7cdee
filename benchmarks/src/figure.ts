/** What a benchmark reports: our figure beside a named peer's of the same run, as medians over interleaved pairs. */

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Median of our runs. */
  readonly ours: number;
  /** Median of the peer's runs; absent for figures without a peer. */
  readonly peer?: number;
  readonly peerName?: string;
  /** Median of the ratios pair by pair (ours / peer): it holds when the machine's speed drifts. */
  readonly ratio?: number;
  readonly runs: readonly Run[];
  /** The bytes were checked while the time was taken, and all were right. */
  readonly correct: boolean;
  /** What the project set out to reach, and whether this run reached it. */
  readonly target?: { readonly text: string; readonly reached: boolean };
}

export interface Run {
  readonly ours: number;
  readonly peer?: number;
}

export interface FigureInput {
  readonly name: string;
  readonly unit: string;
  readonly peerName?: string;
  readonly runs: readonly Run[];
  readonly correct: boolean;
  readonly target?: { readonly text: string; readonly holds: (figure: Figure) => boolean };
}

/** Middle value, or the mean of the two middle ones; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] ?? Number.NaN;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function figureOf(input: FigureInput): Figure {
  const pairs = input.runs.filter((run) => run.peer !== undefined);
  const peers = pairs.map((run) => run.peer ?? Number.NaN);
  const figure: Figure = {
    name: input.name,
    unit: input.unit,
    ours: median(input.runs.map((run) => run.ours)),
    ...(peers.length === 0
      ? {}
      : {
          peer: median(peers),
          peerName: input.peerName ?? "peer",
          ratio: median(pairs.map((run) => run.ours / (run.peer ?? Number.NaN))),
        }),
    runs: input.runs,
    correct: input.correct,
  };
  const { target } = input;
  return target === undefined
    ? figure
    : { ...figure, target: { text: target.text, reached: target.holds(figure) } };
}

/** One line for people: name, our median with its spread, the peer's, the ratio, the target. */
export function describeFigure(figure: Figure): string {
  const spread = (values: readonly number[]): string =>
    values.length < 2 ? "" : ` (${short(Math.min(...values))}–${short(Math.max(...values))})`;
  const parts = [
    `${figure.name}: ${short(figure.ours)}${spread(figure.runs.map((run) => run.ours))} ${figure.unit}`,
  ];
  if (figure.peer !== undefined) {
    const peers = figure.runs.map((run) => run.peer ?? Number.NaN);
    parts.push(
      `${figure.peerName} ${short(figure.peer)}${spread(peers)}`,
      `ratio ${short(figure.ratio ?? Number.NaN)}`,
    );
  }
  parts.push(`n=${figure.runs.length}`);
  if (!figure.correct) parts.push("WRONG RESULTS");
  if (figure.target !== undefined)
    parts.push(`target ${figure.target.text}: ${figure.target.reached ? "reached" : "not reached"}`);
  return parts.join(", ");
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "?";
}
