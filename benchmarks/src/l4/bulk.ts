/** Throughput, what it costs in CPU time, and what it leaves in memory. */

import { type Figure, figureOf } from "../figure.ts";
import type { SuiteOptions } from "../suite.ts";
import { type Path, withoutFullHandshakes } from "./paths.ts";
import { type Memory, memoryOf } from "./place-process.ts";
import { compare, measureRounds, PEER_NAMES, type Round } from "./rounds.ts";

const MIB = 1024 * 1024;
const BULK_BYTES = 512 * MIB;
const STREAMS = [1, 8] as const;
const TARGET_RATIO = 1;

export async function bulkFigures(
  paths: readonly Path[],
  { pairs, progress }: SuiteOptions,
): Promise<readonly Figure[]> {
  const idle = memoryOfPaths(paths);
  const figures: Figure[] = [];
  for (const streams of STREAMS) {
    const load = { kind: "bulk", streams, bytes: BULK_BYTES } as const;
    const rounds = await measureRounds(
      withoutFullHandshakes(paths),
      pairs,
      (path) => path.measure("sink", load),
      (text) => progress(`bulk, ${streams} streams, ${text}`),
    );
    figures.push(...throughputFigures(streams, rounds));
  }
  const busy = memoryOfPaths(paths);
  return [
    ...figures,
    ...memoryFigures("idle, before any traffic", idle),
    ...memoryFigures("after bulk", busy),
  ];
}

function throughputFigures(streams: number, rounds: readonly Round[]): readonly Figure[] {
  const name = `throughput, ${streams} stream${streams === 1 ? "" : "s"}`;
  const target = {
    text: `≥ ${TARGET_RATIO} × HAProxy`,
    holds: ({ ratio = 0 }: Figure) => ratio >= TARGET_RATIO,
  };
  const gigabytes = BULK_BYTES / 1e9;
  return [
    compare(rounds, "haproxy", { name, unit: "Gbit/s", target }, (round, path) => round[path].rate ?? 0),
    compare(rounds, "direct", { name, unit: "Gbit/s" }, (round, path) => round[path].rate ?? 0),
    compare(
      rounds,
      "haproxy",
      { name: `${name}, CPU of both proxies`, unit: "s/GB" },
      (round, path) => round[path].proxyCpuSeconds / gigabytes,
    ),
  ];
}

type PathMemory = Readonly<Record<"ours" | "haproxy", readonly Memory[]>>;

function memoryOfPaths(paths: readonly Path[]): PathMemory {
  const of = (name: string): readonly Memory[] =>
    paths.find((path) => path.name === name)?.pids.map(memoryOf) ?? [];
  return { ours: of("ours"), haproxy: of("haproxy") };
}

/** One run for each of the two proxies: the client's node first. */
function memoryFigures(when: string, memory: PathMemory): readonly Figure[] {
  const figure = (name: string, read: (one: Memory) => number): Figure =>
    figureOf({
      name: `${name} of one proxy, ${when}`,
      unit: "MiB",
      peerName: PEER_NAMES.haproxy,
      runs: memory.ours.map((one, index) => {
        const peer = memory.haproxy[index];
        return { ours: read(one) / MIB, ...(peer && { peer: read(peer) / MIB }) };
      }),
      correct: true,
    });
  return [figure("RSS", (one) => one.rssBytes), figure("PSS", (one) => one.pssBytes)];
}
