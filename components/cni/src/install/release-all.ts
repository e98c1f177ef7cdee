/** Lets every pod of the node out of the mesh, as the last thing on a node that leaves it. */

import { type Clock, delay, describeError, type Logger } from "@meltemi/runtime";
import type { Enroller } from "../enrol/enroller.ts";
import type { PodIdentity } from "../enrol/pod-facts.ts";

export interface ReleaseDependencies {
  readonly enroller: Pick<Enroller, "release">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Leaves time in the 30 s that a pod is given to end. */
const DEADLINE_MS = 20_000;
const CONCURRENCY = 8;

/** A pod that cannot be released in time is logged: its capture goes with the node's anyway, its annotation may stay. */
export async function releaseAll(pods: readonly PodIdentity[], deps: ReleaseDependencies): Promise<void> {
  const waiting = [...pods];
  const work = async (): Promise<void> => {
    for (let pod = waiting.shift(); pod !== undefined; pod = waiting.shift())
      try {
        await deps.enroller.release(pod);
      } catch (error) {
        const { name, namespace } = pod;
        deps.log.warn("could not release a pod", { pod: name, namespace, error: describeError(error) });
      }
  };
  const over = new AbortController();
  const all = Promise.all(Array.from({ length: CONCURRENCY }, work)).then(() => undefined);
  await Promise.race([all, delay(deps.clock, DEADLINE_MS, over.signal)]);
  over.abort();
  if (waiting.length > 0) deps.log.warn("could not release all pods in time", { pods: waiting.length });
}
