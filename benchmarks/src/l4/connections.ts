/** New connections per second, each carrying one small exchange: pooled tunnels against a TLS handshake for each. */

import type { Figure } from "../figure.ts";
import type { SuiteOptions } from "../suite.ts";
import type { Path } from "./paths.ts";
import { compare, measureRounds } from "./rounds.ts";

const LOAD = { kind: "connections", concurrency: 16, durationMs: 2000 } as const;
/** V8 compiles the last hot function after some 10 000 connections; until then each costs ztunnel half as much again. */
const WARM_UP_ROUNDS = 3;
const TARGET_RATIO = 4;

export async function connectionFigures(
  paths: readonly Path[],
  { pairs, progress }: SuiteOptions,
): Promise<readonly Figure[]> {
  const rounds = await measureRounds(
    paths,
    pairs,
    (path) => path.measure("once", LOAD),
    (text) => progress(`new connections, ${text}`),
    WARM_UP_ROUNDS,
  );
  const name = `new connections, 64 B each way, ${LOAD.concurrency} at a time`;
  const target = {
    text: `≥ ${TARGET_RATIO} × HAProxy with full handshakes`,
    holds: ({ ratio = 0 }: Figure) => ratio >= TARGET_RATIO,
  };
  return [
    compare(rounds, "haproxyFull", { name, unit: "1/s", target }, (round, path) => round[path].rate ?? 0),
    compare(rounds, "haproxy", { name, unit: "1/s" }, (round, path) => round[path].rate ?? 0),
    compare(
      rounds,
      "direct",
      { name: `${name}, against what the load itself can`, unit: "1/s" },
      (round, path) => round[path].rate ?? 0,
    ),
    compare(
      rounds,
      "haproxyFull",
      { name: `${name}, CPU of the load generator`, unit: "ms/connection" },
      (round, path) => (round[path].cpuSeconds * 1000) / Math.max(1, round[path].opened),
    ),
    compare(
      rounds,
      "haproxy",
      { name: `${name}, CPU of both proxies`, unit: "ms/connection" },
      (round, path) => (round[path].proxyCpuSeconds * 1000) / Math.max(1, round[path].opened),
    ),
  ];
}
