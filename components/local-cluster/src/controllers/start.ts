/** Starts the controllers of the local cluster: what kube-controller-manager does, as far as the mesh's manifests need it. */

import type { KubernetesClient } from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import type { ControllerContext, RunningController } from "./controller.ts";
import { startDisruptionBudgets } from "./disruptions.ts";
import { startGarbageCollector } from "./garbage.ts";
import { startNamespaceContent, startNamespaceEnd } from "./namespaces.ts";
import { startNodeLifecycle } from "./nodes.ts";
import { startEndpointSlices } from "./services.ts";
import {
  startDaemonSets,
  startDeployments,
  startJobs,
  startReplicaSets,
  startStatefulSets,
} from "./workloads.ts";
import { createWorld } from "./world.ts";

export interface ControllerOptions {
  /** PEM of the API server's certificate authority, published to every namespace as `kube-root-ca.crt`. */
  readonly certificateAuthority: string;
}

export interface ControllerDependencies {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

export interface RunningControllers {
  /** All kinds are listed, and the controllers work. Rejects when stopped before. */
  readonly ready: Promise<void>;
  /** Keys that are not settled yet, by controller. */
  backlog(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Runs until stopped. The client is not closed. Waits for the API server if it is not up yet. */
export function startControllers(
  client: KubernetesClient,
  options: ControllerOptions,
  deps: ControllerDependencies,
): RunningControllers {
  const world = createWorld(client, deps);
  const context: ControllerContext = { client, world, ...deps };
  const controllers: RunningController[] = [];
  let stopped = false;
  const ready = world.synced().then(() => {
    if (stopped) return;
    // Only now: a controller that decides on half a world deletes and creates what it should not.
    controllers.push(
      startNamespaceContent(context, options.certificateAuthority),
      startNamespaceEnd(context),
      startReplicaSets(context),
      startDeployments(context),
      startDaemonSets(context),
      startStatefulSets(context),
      startJobs(context),
      startEndpointSlices(context),
      startDisruptionBudgets(context),
      startNodeLifecycle(context),
      startGarbageCollector(context),
    );
  });
  // Whoever does not wait for it must not be ended by it.
  ready.catch(() => {});
  return {
    ready,
    backlog: () => Object.fromEntries(controllers.map(({ name, backlog }) => [name, backlog])),
    async stop() {
      stopped = true;
      await Promise.all(controllers.map((controller) => controller.stop()));
      world.stop();
    },
  };
}
