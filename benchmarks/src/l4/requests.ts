/** Latency of small requests under a fixed load that leaves the machine half idle. */

import type { Figure } from "../figure.ts";
import type { SuiteOptions } from "../suite.ts";
import { type Path, withoutFullHandshakes } from "./paths.ts";
import { compare, measureRounds } from "./rounds.ts";

const LOAD = { kind: "requests", connections: 4, perSecond: 1000, durationMs: 2500 } as const;
const TARGET_RATIO = 1.5;

export async function requestFigures(
  paths: readonly Path[],
  { pairs, progress }: SuiteOptions,
): Promise<readonly Figure[]> {
  const rounds = await measureRounds(
    withoutFullHandshakes(paths),
    pairs,
    (path) => path.measure("echo", LOAD),
    (text) => progress(`requests, ${text}`),
  );
  const name = `request/response 1 KB, ${LOAD.perSecond}/s on ${LOAD.connections} connections`;
  const thousands = (LOAD.perSecond * LOAD.durationMs) / 1e6;
  const target = {
    text: `≤ ${TARGET_RATIO} × HAProxy`,
    holds: ({ ratio = Number.POSITIVE_INFINITY }: Figure) => ratio <= TARGET_RATIO,
  };
  return [
    compare(
      rounds,
      "haproxy",
      { name: `${name}, p50 added to direct`, unit: "µs", target },
      (round, path) => (round[path].p50Us ?? Number.NaN) - (round.direct.p50Us ?? Number.NaN),
    ),
    compare(rounds, "direct", { name: `${name}, p50`, unit: "µs" }, (round, path) => round[path].p50Us ?? 0),
    compare(rounds, "haproxy", { name: `${name}, p99`, unit: "µs" }, (round, path) => round[path].p99Us ?? 0),
    compare(rounds, "direct", { name: `${name}, p99`, unit: "µs" }, (round, path) => round[path].p99Us ?? 0),
    compare(
      rounds,
      "haproxy",
      { name: `${name}, CPU of both proxies`, unit: "ms/1000 requests" },
      (round, path) => (round[path].proxyCpuSeconds * 1000) / thousands,
    ),
  ];
}
