/** How long a node is without a proxy when its proxy starts from nothing. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Figure, figureOf, type Run } from "../figure.ts";
import type { L4Options } from "./suite.ts";
import { startZtunnels } from "./ztunnels.ts";

const TARGET_MS = 400;

/** Ready means: its listeners stand in the namespace of a pod that the node agent told of. */
export async function coldStartFigure({ scene, capture, pairs, progress }: L4Options): Promise<Figure> {
  const runs: Run[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    progress(`cold start, ${pair} of ${pairs}`);
    const peer = await startNothing();
    await using ztunnels = await startZtunnels(scene, capture);
    // Two starts, one after the other.
    for (const ours of ztunnels.readyMs) runs.push({ ours, peer });
  }
  return figureOf({
    name: "cold start of ztunnel, exec to ready",
    unit: "ms",
    peerName: "node with an empty program, exec to exit",
    runs,
    correct: true,
    target: { text: `≤ ${TARGET_MS}`, holds: ({ ours }) => ours <= TARGET_MS },
  });
}

async function startNothing(): Promise<number> {
  const startMs = performance.now();
  await once(spawn(process.execPath, ["-e", "0"]), "exit");
  return performance.now() - startMs;
}
