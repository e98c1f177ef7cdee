/** The L7 engine of waypoints against nginx, HAProxy and, where it is, Envoy. */

import type { Figure } from "../figure.ts";
import type { Suite } from "../suite.ts";
import { closedLoopFigures } from "./closed-loop.ts";
import { memoryFigures, rssOf } from "./memory.ts";
import { openLoopFigures } from "./open-loop.ts";
import { checkRefusals } from "./refusals.ts";
import { createScene } from "./scene.ts";

/** V8 has compiled what is hot after some 50 000 requests. */
const WARM_UP_ROUNDS = 2;

export const waypointSuite: Suite = {
  name: "waypoint",
  about: "HTTP through the L7 engine: requests per core, latency, memory, 10 000 routes; needs root",
  async *run({ pairs, progress }): AsyncIterable<Figure> {
    await using scene = await createScene(process.env, progress);
    const { paths } = scene;
    await checkRefusals(scene);
    const idle = rssOf(paths);
    const options = { rounds: pairs, warmUpRounds: WARM_UP_ROUNDS, progress };
    for (const entry of ["http1", "http2", "http2Both"] as const)
      yield* await closedLoopFigures(paths, entry, options);
    await scene.unpin();
    for (const entry of ["http1", "http2Both"] as const) yield* await openLoopFigures(paths, entry, options);
    yield* memoryFigures(idle, "before the load");
    yield* memoryFigures(rssOf(paths), "after the load");
  },
};
