/** What a proxy adds to the time of a request when the machine has time enough. */

import type { Figure } from "../figure.ts";
import { cpuMsPerThousand } from "./closed-loop.ts";
import { compare, measureRounds, type Round, type RoundOptions } from "./rounds.ts";
import type { Measured, Path, PathName } from "./scene.ts";
import type { Entry } from "./traffic.ts";

const LOAD = { concurrency: 16, durationMs: 3000, perSecond: 500 } as const;
const MOST_ADDED_P99_MS = 2;
const PEERS = ["nginx", "haproxy", "envoy"] as const;

/** The time of tunnels' other ends would be in it. */
const NOT_TIMED: ReadonlySet<PathName> = new Set(["manyRoutes", "waypoint"]);

const SPOKEN: Partial<Record<Entry, string>> = { http1: "HTTP/1.1", http2Both: "HTTP/2" };

export async function openLoopFigures(
  paths: readonly Path[],
  entry: "http1" | "http2Both",
  options: RoundOptions,
): Promise<readonly Figure[]> {
  const able = paths.filter((path) => path.takes(entry) && !NOT_TIMED.has(path.name));
  const rounds = await measureRounds(able, entry, LOAD, options);
  const peers = PEERS.filter((peer) => able.some(({ name }) => name === peer));
  const name = `${SPOKEN[entry]}, 1 KB, ${LOAD.perSecond}/s`;
  const added =
    (what: "p50Us" | "p99Us") =>
    (measured: Measured, round: Round): number =>
      (measured[what] - (round.get("direct")?.[what] ?? Number.NaN)) / 1000;
  const target = {
    text: `≤ ${MOST_ADDED_P99_MS} ms`,
    holds: ({ ours }: Figure) => ours <= MOST_ADDED_P99_MS,
  };
  return peers.flatMap((peer) => [
    compare(rounds, "ours", peer, { name: `${name}, added p50`, unit: "ms" }, added("p50Us")),
    compare(rounds, "ours", peer, { name: `${name}, added p99`, unit: "ms", target }, added("p99Us")),
    compare(rounds, "ours", peer, { name: `${name}, CPU`, unit: "ms/1000 requests" }, cpuMsPerThousand),
  ]);
}
