/** What the proxies' processes hold, before the load and after it. */

import { type Figure, figureOf } from "../figure.ts";
import { memoryOf } from "../l4/place-process.ts";
import { PATH_NAMES, type Path, type PathName } from "./scene.ts";

const MIB = 1024 * 1024;

export type Memory = ReadonlyMap<PathName, number>;

export function rssOf(paths: readonly Path[]): Memory {
  return new Map(
    paths.flatMap(({ name, proxy }) =>
      proxy === undefined ? [] : [[name, memoryOf(proxy.pid).rssBytes / MIB] as const],
    ),
  );
}

export function memoryFigures(memory: Memory, when: string): readonly Figure[] {
  return [...memory].flatMap(([name, peer]) =>
    name === "ours"
      ? []
      : figureOf({
          name: `memory ${when}, RSS`,
          unit: "MiB",
          peerName: PATH_NAMES[name],
          runs: [{ ours: memory.get("ours") ?? Number.NaN, peer }],
          correct: true,
        }),
  );
}
