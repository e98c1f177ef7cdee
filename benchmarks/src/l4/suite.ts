/** The whole L4 path, pod to pod across two nodes, against no proxy and against a pair of HAProxy with mTLS. */

import { readFile } from "node:fs/promises";
import type { Figure } from "../figure.ts";
import type { Suite, SuiteOptions } from "../suite.ts";
import { bulkFigures } from "./bulk.ts";
import { coldStartFigure } from "./cold-start.ts";
import { connectionFigures } from "./connections.ts";
import { startHaproxyPair } from "./haproxy.ts";
import { idleFigures } from "./idle.ts";
import { directPath, haproxyPath, meshPath, type Path } from "./paths.ts";
import { requestFigures } from "./requests.ts";
import { createScene, type Scene } from "./scene.ts";
import { type CaptureKind, startZtunnels } from "./ztunnels.ts";

export const l4Suite: Suite = l4SuiteWith("l4", "ebpf");
export const l4NftablesSuite: Suite = l4SuiteWith("l4-nftables", "nftables");

export interface L4Options extends SuiteOptions {
  readonly scene: Scene;
  readonly capture: CaptureKind;
}

function l4SuiteWith(name: string, capture: CaptureKind): Suite {
  return {
    name,
    about: `pod to pod through two ztunnels, ${capture} capture: throughput, latency, connections, memory, start; needs root`,
    async *run(options): AsyncIterable<Figure> {
      // The pool's threads must be born in this namespace, before this thread visits others.
      await Promise.all(Array.from({ length: 16 }, () => readFile("/proc/self/stat")));
      await using scene = await createScene();
      const l4 = { ...options, scene, capture };
      for (const figures of [bulkFigures, requestFigures, connectionFigures]) {
        options.progress(figures.name);
        yield* await withPaths(l4, (paths) => figures(paths, options));
      }
      yield* await idleFigures(l4);
      yield await coldStartFigure(l4);
    },
  };
}

/** Fresh proxies for each kind of figure: what one leaves behind is not in the next. */
async function withPaths<T>(
  { scene, capture }: L4Options,
  measure: (paths: readonly Path[]) => Promise<T>,
): Promise<T> {
  await using haproxy = await startHaproxyPair(scene);
  await using ztunnels = await startZtunnels(scene, capture);
  return await measure([
    directPath(scene),
    haproxyPath(scene, haproxy),
    haproxyPath(scene, haproxy, "full"),
    meshPath(scene, ztunnels),
  ]);
}
