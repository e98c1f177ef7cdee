/** What an open connection that carries nothing costs a proxy. */

import { type Figure, figureOf, type Run } from "../figure.ts";
import { startHaproxyPair } from "./haproxy.ts";
import { haproxyPath, meshPath, type Path } from "./paths.ts";
import { type Memory, memoryOf } from "./place-process.ts";
import { PEER_NAMES } from "./rounds.ts";
import type { L4Options } from "./suite.ts";
import { startZtunnels } from "./ztunnels.ts";

const IDLE_CONNECTIONS = 10_000;
/** HAProxy makes a TLS handshake for each: ten thousand would take longer than the rest of the suite. */
const PEER_CONNECTIONS = 2000;
/** The first ones pay for code, contexts and heap pages that the others share. */
const WARM_UP_CONNECTIONS = 1000;
const TARGET_BYTES = 12 * 1024;
/** Opening ten thousand takes a while; memory hardly varies from run to run. */
const MAX_RUNS = 3;
/** Memory counts once it has not changed by more than this for so long. */
const SETTLED = { changeBytes: 256 * 1024, quietMs: 1000, deadlineMs: 15_000 } as const;

interface IdleRun {
  /** Of the proxy that needs more. */
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly correct: boolean;
}

export async function idleFigures(options: L4Options): Promise<readonly Figure[]> {
  const { scene, capture, progress } = options;
  const runs: { readonly ours: IdleRun; readonly peer: IdleRun }[] = [];
  const rounds = Math.min(options.pairs, MAX_RUNS);
  for (let round = 1; round <= rounds; round++) {
    progress(`${IDLE_CONNECTIONS} idle connections, round ${round} of ${rounds}`);
    await using haproxy = await startHaproxyPair(scene);
    const peer = await measureIdle(haproxyPath(scene, haproxy), PEER_CONNECTIONS);
    await using ztunnels = await startZtunnels(scene, capture);
    const ours = await measureIdle(meshPath(scene, ztunnels), IDLE_CONNECTIONS);
    runs.push({ ours, peer });
  }
  const figure = (kind: "RSS" | "PSS", read: (run: IdleRun) => number): Figure =>
    figureOf({
      name: `${IDLE_CONNECTIONS} idle connections, ${kind} growth of the larger proxy per connection`,
      unit: "bytes",
      peerName: `${PEER_NAMES.haproxy}, ${PEER_CONNECTIONS} connections`,
      runs: runs.map(({ ours, peer }): Run => ({ ours: read(ours), peer: read(peer) })),
      correct: runs.every(({ ours, peer }) => ours.correct && peer.correct),
      target: { text: `≤ ${TARGET_BYTES}`, holds: ({ ours }) => ours <= TARGET_BYTES },
    });
  return [figure("RSS", (run) => run.rssBytes), figure("PSS", (run) => run.pssBytes)];
}

async function measureIdle(path: Path, count: number): Promise<IdleRun> {
  const first = await path.measure("echo", { kind: "hold", count: WARM_UP_CONNECTIONS });
  const before = await settled(path.pids);
  const rest = await path.measure("echo", { kind: "hold", count });
  const after = await settled(path.pids);
  const { correct } = await path.release();
  const growth = (read: (memory: Memory) => number): number =>
    Math.max(...after.map((memory, at) => (read(memory) - read(before[at] ?? memory)) / count));
  return {
    rssBytes: growth((memory) => memory.rssBytes),
    pssBytes: growth((memory) => memory.pssBytes),
    correct: correct && first.correct && rest.correct,
  };
}

/** Memory once it stands still; garbage that nobody collects by then is counted. */
async function settled(pids: readonly number[]): Promise<readonly Memory[]> {
  const deadlineMs = performance.now() + SETTLED.deadlineMs;
  let last = pids.map(memoryOf);
  let quietSinceMs = performance.now();
  while (performance.now() - quietSinceMs < SETTLED.quietMs && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, SETTLED.quietMs / 5));
    const now = pids.map(memoryOf);
    const moved = now.some(
      (memory, at) => Math.abs(memory.rssBytes - (last[at]?.rssBytes ?? 0)) > SETTLED.changeBytes,
    );
    if (!moved) continue;
    last = now;
    quietSinceMs = performance.now();
  }
  return pids.map(memoryOf);
}
