/** The three ways from one load generator to the application: none, the HAProxy pair, and two ztunnels. */

import type { HaproxyPair } from "./haproxy.ts";
import type { ApplicationPort, LoadCommand, LoadReply, Target } from "./messages.ts";
import { APPLICATION_PORTS } from "./messages.ts";
import { cpuSeconds } from "./place-process.ts";
import type { Scene } from "./scene.ts";
import type { Ztunnels } from "./ztunnels.ts";

/** `haproxyFull`: the same pair, and no TLS session is resumed. */
export type PathName = "direct" | "haproxy" | "haproxyFull" | "ours";

/** A command without its target, which is the path's. */
type Load = LoadCommand extends infer Command
  ? Command extends { readonly target: Target }
    ? Omit<Command, "target">
    : never
  : never;

export interface Measured extends LoadReply {
  /** CPU time of the path's proxies. */
  readonly proxyCpuSeconds: number;
}

export interface Path {
  readonly name: PathName;
  readonly pids: readonly number[];
  measure(port: ApplicationPort, load: Load): Promise<Measured>;
  /** Closes the connections that are held. */
  release(): Promise<LoadReply>;
}

/** What counts handshakes has no place where connections live long. */
export function withoutFullHandshakes(paths: readonly Path[]): readonly Path[] {
  return paths.filter((path) => path.name !== "haproxyFull");
}

export function directPath(scene: Scene): Path {
  const host = scene.plain.server.ipv4;
  return makePath("direct", [], scene.plain, (port) => ({ host, port }));
}

export function haproxyPath(scene: Scene, pair: HaproxyPair, sessions: "resumed" | "full" = "resumed"): Path {
  const name = sessions === "full" ? "haproxyFull" : "haproxy";
  return makePath(name, pair.pids, scene.plain, (port) => ({
    host: "127.0.0.1",
    port: pair.entry(port, sessions),
  }));
}

/** Wrong, too, when a connection did not go through the tunnel. */
export function meshPath(scene: Scene, ztunnels: Ztunnels): Path {
  const path = makePath("ours", ztunnels.pids, scene.meshed, (port) => ({ host: ztunnels.vip, port }));
  return {
    ...path,
    async measure(port, load) {
      const before = await ztunnels.tunnelled();
      const measured = await path.measure(port, load);
      const tunnelled = (await ztunnels.tunnelled()) - before;
      return { ...measured, correct: measured.correct && tunnelled === measured.opened };
    },
  };
}

function makePath(
  name: PathName,
  pids: readonly number[],
  pods: Scene["plain"],
  target: (port: number) => Target,
): Path {
  const used = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  return {
    name,
    pids,
    async measure(port, load) {
      const before = used();
      const command = { ...load, target: target(APPLICATION_PORTS[port]) } as LoadCommand;
      const reply = await pods.load(command);
      return { ...reply, proxyCpuSeconds: used() - before };
    },
    release: () => pods.load({ kind: "release" }),
  };
}
