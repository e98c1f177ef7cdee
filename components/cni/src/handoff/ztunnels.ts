/** The ztunnels of this node, as enrolment sees them: absent until the agent knows all its pods, and now and then while they restart. */

import { type Clock, MeshError } from "@meltemi/runtime";
import type { ZdsAnswer, ZdsServer } from "@meltemi/zds";

export interface Ztunnels extends Pick<ZdsServer, "add" | "del"> {
  /** From now on ztunnels may connect. */
  listen(open: (onConnections: (count: number) => void) => ZdsServer): void;
  close(): void;
}

/** A ztunnel that lost its agent comes back within a second or two; a pod that starts meanwhile need not fail and start anew. */
const CONNECT_WAIT_MS = 2_000;

export function createZtunnels(deps: {
  readonly clock: Clock;
  readonly onConnections: (count: number) => void;
}): Ztunnels {
  let server: ZdsServer | undefined;
  /** Bounded by those who enrol: the plugin's connections and the work queue. */
  const waiting = new Set<() => void>();
  const connected = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        waiting.delete(done);
        timer.cancel();
        resolve();
      };
      const timer = deps.clock.after(CONNECT_WAIT_MS, done);
      waiting.add(done);
    });
  return {
    listen(open) {
      server = open((count) => {
        deps.onConnections(count);
        if (count > 0) for (const done of waiting) done();
      });
    },
    async add(uid): Promise<ZdsAnswer> {
      if (server === undefined || server.connections() === 0) await connected();
      if (server === undefined)
        throw new MeshError("UNAVAILABLE", `add pod ${uid} to ztunnel: the agent is starting`);
      return await server.add(uid);
    },
    del: async (uid) => server?.del(uid),
    close: () => server?.close(),
  };
}
