/** From "something changed" to "every client was told": compiles, encodes and pushes when decide-push says so. */

import type { Clock, Timer } from "@meltemi/runtime";
import type { MeshChanges } from "../compile/mesh-compiler.ts";
import { type DebounceOptions, type Gathering, gather, pushDueMs } from "./decide-push.ts";
import type { MeshResources } from "./mesh-resources.ts";
import type { DistributionMetrics } from "./metrics.ts";

export interface PublisherDependencies {
  readonly clock: Clock;
  readonly metrics: DistributionMetrics;
  readonly resources: MeshResources;
  /** Compiles everything that changed since the last call. */
  readonly compile: () => MeshChanges;
  /** Tells the clients. */
  readonly push: (changedMs: number) => void;
  /** What else wants to know of changes: status. */
  readonly onCompiled: (changes: MeshChanges) => void;
}

export interface Publisher {
  /** An input changed; `kind` is for the metric. */
  touch(kind: string): void;
  /** Publishes what there is, at once. Later touches are published when due. */
  start(): void;
  stop(): void;
}

export function createPublisher(options: DebounceOptions, deps: PublisherDependencies): Publisher {
  const { clock, metrics, resources } = deps;
  let gathering: Gathering | undefined;
  let lastPushMs = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;
  let isRunning = false;

  const publish = (): void => {
    const nowMs = clock.monotonicMs();
    const since = gathering?.firstChangeMs ?? nowMs;
    gathering = undefined;
    timer = undefined;
    const changes = deps.compile();
    const changed = resources.publish(changes);
    deps.onCompiled(changes);
    // A change that changed nothing for the mesh does not make the next one wait.
    if (changed === 0) return;
    lastPushMs = nowMs;
    metrics.debounce.observe((nowMs - since) / 1000);
    deps.push(since);
  };
  const schedule = (): void => {
    if (!isRunning || gathering === undefined) return;
    timer?.cancel();
    const dueMs = pushDueMs(gathering, lastPushMs, options);
    timer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), publish);
  };

  return {
    touch(kind) {
      metrics.triggered(kind);
      gathering = gather(gathering, clock.monotonicMs());
      schedule();
    },
    start() {
      isRunning = true;
      publish();
    },
    stop() {
      isRunning = false;
      timer?.cancel();
    },
  };
}
