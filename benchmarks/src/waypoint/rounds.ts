/** Interleaved rounds over the paths: A B C C B A, so that a machine that slows down slows all of them. */

import { type Figure, type FigureInput, figureOf } from "../figure.ts";
import type { Load } from "./messages.ts";
import { type Measured, PATH_NAMES, type Path, type PathName } from "./scene.ts";
import type { Entry } from "./traffic.ts";

export type Round = ReadonlyMap<PathName, Measured>;

export interface RoundOptions {
  readonly rounds: number;
  /** Before those that count: the hot paths are compiled, connections are open. */
  readonly warmUpRounds: number;
  readonly progress: (text: string) => void;
}

export async function measureRounds(
  paths: readonly Path[],
  entry: Entry,
  load: Load,
  { rounds, warmUpRounds, progress }: RoundOptions,
): Promise<readonly Round[]> {
  const all: Round[] = [];
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    const measured = new Map<PathName, Measured>();
    // Back and forth: who comes after a busy neighbour comes before it the next time.
    const order = round % 2 === 0 ? paths : [...paths].reverse();
    for (const path of order) measured.set(path.name, await path.measure(entry, load));
    const told = [...measured].map(([name, { perSecond }]) => `${name} ${Math.round(perSecond)}`);
    progress(`${entry}, ${round < 1 ? "warm-up" : `round ${round} of ${rounds}`}: ${told.join(", ")}/s`);
    if (round >= 1) all.push(measured);
  }
  return all;
}

/** A value of every round for one path beside the same of another. */
export function compare(
  rounds: readonly Round[],
  name: PathName,
  peer: PathName,
  figure: Pick<FigureInput, "name" | "unit" | "target">,
  value: (measured: Measured, round: Round) => number,
): Figure {
  const runs = rounds.flatMap((round) => {
    const [ours, theirs] = [round.get(name), round.get(peer)];
    if (ours === undefined || theirs === undefined) return [];
    return [{ ours: value(ours, round), peer: value(theirs, round), right: ours.correct && theirs.correct }];
  });
  return figureOf({
    ...figure,
    peerName: PATH_NAMES[peer],
    runs: runs.map((run) => ({ ours: run.ours, peer: run.peer })),
    correct: runs.length > 0 && runs.every(({ right }) => right),
  });
}
