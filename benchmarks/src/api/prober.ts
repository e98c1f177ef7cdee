/** The client in the pod, as the benchmark sees it. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "@meltemi/testkit";
import type { Probe, ProbeCommand, ProbeReport } from "./messages.ts";

const CONNECT_DEADLINE_MS = 20_000;
/** Nothing that is measured here takes so long; what does, is a wrong result. */
const PROBE_DEADLINE_MS = 30_000;
const LOOK_EVERY_MS = 2;

export interface Prober extends Disposable {
  /** Goes on with these targets; what was seen of others is forgotten. */
  probe(command: ProbeCommand): void;
  /** All probes of the present command, in the order in which they ended. */
  readonly seen: readonly Probe[];
  /** The first probe from index `from` on that is wanted. Rejects when none comes. */
  first(from: number, wanted: (probe: Probe) => boolean): Promise<number>;
  /** Waits until so many more probes have ended. */
  more(count: number): Promise<void>;
}

/** `path`: the socket that the worker listens on, which it may not do yet. */
export async function connectProber(path: string): Promise<Prober> {
  const socket = await eventually(() => dial(path), { deadlineMs: CONNECT_DEADLINE_MS, everyMs: 50 });
  let command = 0;
  let seen: Probe[] = [];
  let fault: Error | undefined;
  createInterface({ input: socket }).on("line", (line) => {
    const report = JSON.parse(line) as ProbeReport;
    if (report.command === command) seen.push(...report.probes);
  });
  socket.once("close", () => {
    fault = new Error("the client in the pod has ended");
  });
  const until = async (holds: () => boolean): Promise<void> => {
    for (const endMs = performance.now() + PROBE_DEADLINE_MS; !holds(); await delay(LOOK_EVERY_MS)) {
      if (fault !== undefined) throw fault;
      if (performance.now() > endMs)
        throw new Error(
          `not seen within ${PROBE_DEADLINE_MS} ms; the last probe: ${JSON.stringify(seen.at(-1))}`,
        );
    }
  };
  return {
    probe(next) {
      command++;
      seen = [];
      socket.write(`${JSON.stringify(next)}\n`);
    },
    get seen() {
      return seen;
    },
    async first(from, wanted) {
      let at = from;
      await until(() => {
        while (at < seen.length && !wanted(seen[at] as Probe)) at++;
        return at < seen.length;
      });
      return at;
    },
    more(count) {
      const enough = seen.length + count;
      return until(() => seen.length >= enough);
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

async function dial(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  return socket;
}
