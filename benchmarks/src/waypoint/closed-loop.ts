/** As many requests as one core of a proxy carries. */

import type { Figure, FigureInput } from "../figure.ts";
import { compare, measureRounds, type Round, type RoundOptions } from "./rounds.ts";
import type { Measured, Path, PathName } from "./scene.ts";
import type { Entry } from "./traffic.ts";

const LOAD = { concurrency: 48, durationMs: 2500 } as const;

const SPOKEN: Readonly<Record<Entry, string>> = {
  http1: "HTTP/1.1",
  http2: "HTTP/2 to HTTP/1.1",
  http2Both: "HTTP/2",
};
/** Of the peer's requests for the same CPU time. */
const TARGETS: Partial<Record<PathName, number>> = { envoy: 0.6, haproxy: 0.5 };
/** What two runs of the same program differ by. */
const SAME = 1.1;
const PEERS = ["nginx", "haproxy", "envoy"] as const;

export async function closedLoopFigures(
  paths: readonly Path[],
  entry: Entry,
  options: RoundOptions,
): Promise<readonly Figure[]> {
  const able = paths.filter((path) => path.takes(entry));
  const rounds = await measureRounds(able, entry, LOAD, options);
  const peers = PEERS.filter((peer) => able.some(({ name }) => name === peer));
  const name = `${SPOKEN[entry]}, 1 KB, ${LOAD.concurrency} at once`;
  const perCore = { name: `${name}, requests for a second of the proxy's CPU`, unit: "requests/s" };
  return [
    ...peers.map((peer) => compare(rounds, "ours", peer, { ...perCore, ...targetOf(peer) }, requestsPerCore)),
    ...peers.map((peer) =>
      compare(rounds, "ours", peer, { name: `${name}, answered`, unit: "requests/s" }, rate),
    ),
    ...(able.some(({ name: path }) => path === "direct")
      ? [compare(rounds, "ours", "direct", { name: `${name}, answered`, unit: "requests/s" }, rate)]
      : []),
    ...peers.map((peer) =>
      compare(rounds, "ours", peer, { name: `${name}, CPU`, unit: "ms/1000 requests" }, cpuMsPerThousand),
    ),
    manyRoutes(rounds, name),
    compare(
      rounds,
      "waypoint",
      "ours",
      { name: `${name}, CPU of a whole waypoint, HBONE on both sides`, unit: "ms/1000 requests" },
      cpuMsPerThousand,
    ),
  ];
}

const rate = ({ perSecond }: Measured): number => perSecond;
const requestsPerCore = ({ answered, proxyCpuSeconds }: Measured): number => answered / proxyCpuSeconds;
export const cpuMsPerThousand = ({ answered, proxyCpuSeconds }: Measured): number =>
  (proxyCpuSeconds * 1e6) / answered;

function targetOf(peer: PathName): Pick<FigureInput, "target"> {
  const least = TARGETS[peer];
  if (least === undefined) return {};
  const text = `≥ ${least} × ${peer === "envoy" ? "Envoy" : "HAProxy"}`;
  return { target: { text, holds: ({ ratio = 0 }) => ratio >= least } };
}

function manyRoutes(rounds: readonly Round[], name: string): Figure {
  const target = {
    text: `≤ ${SAME} × with 100 routes`,
    holds: ({ ratio = Number.POSITIVE_INFINITY }: Figure) => ratio <= SAME,
  };
  return compare(
    rounds,
    "manyRoutes",
    "ours",
    { name: `${name}, CPU with 10 000 routes`, unit: "ms/1000 requests", target },
    cpuMsPerThousand,
  );
}
