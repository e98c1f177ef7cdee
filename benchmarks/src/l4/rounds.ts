/** Interleaved rounds over the paths: A B C A B C, so that a machine that slows down slows all of them. */

import { type Figure, type FigureInput, figureOf } from "../figure.ts";
import type { Measured, Path, PathName } from "./paths.ts";

export type Round = { readonly [name in PathName]: Measured };

/** The rounds before the counted ones compile the hot paths and open tunnels. */
export async function measureRounds(
  paths: readonly Path[],
  rounds: number,
  measure: (path: Path) => Promise<Measured>,
  progress: (text: string) => void,
  warmUpRounds = 1,
): Promise<readonly Round[]> {
  for (let round = 0; round < warmUpRounds; round++) for (const path of paths) await measure(path);
  const all: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    const measured: [PathName, Measured][] = [];
    for (const path of paths) measured.push([path.name, await measure(path)]);
    all.push(Object.fromEntries(measured) as Record<PathName, Measured>);
  }
  return all;
}

export const PEER_NAMES: Readonly<Record<Exclude<PathName, "ours">, string>> = {
  haproxy: "HAProxy pair, mTLS",
  haproxyFull: "HAProxy pair, mTLS, full handshakes",
  direct: "direct, no proxy",
};

/** Our value of every round beside a peer's. */
export function compare(
  rounds: readonly Round[],
  peer: keyof typeof PEER_NAMES,
  figure: Pick<FigureInput, "name" | "unit" | "target">,
  value: (round: Round, path: "ours" | typeof peer) => number,
): Figure {
  return figureOf({
    ...figure,
    peerName: PEER_NAMES[peer],
    runs: rounds.map((round) => ({ ours: value(round, "ours"), peer: value(round, peer) })),
    correct: rounds.every((round) => round.ours.correct && round[peer].correct),
  });
}
