/** Keeps every waypoint Gateway deployed and its status true. Only the leader runs it. */

import {
  CONFIG_MAPS,
  createInformer,
  createWorkQueue,
  GATEWAY_CLASSES,
  isAlreadyExists,
  isNotFound,
  type KubernetesClient,
  nameOf,
} from "@meltemi/kubernetes";
import type { Clock, Logger, Timer } from "@meltemi/runtime";
import { MESH_CONTROLLER } from "../compile/policy-targets.ts";
import type { MeshWatch } from "../sources/watch-mesh.ts";
import { followCluster, touchWhere } from "./follow-cluster.ts";
import { WAYPOINT_CLASS } from "./gateway-class.ts";
import { createParametersWatch } from "./parameters-watch.ts";
import { CLASS_DEFAULTS_LABEL, parametersKey, reconcileGateway } from "./reconcile.ts";
import type { DeployerSettings } from "./settings.ts";
import type { WriteDependencies } from "./write-objects.ts";
import { writeClassStatus } from "./write-status.ts";

export interface DeployerDependencies {
  readonly client: Pick<KubernetesClient, "get" | "list" | "watch" | "create" | "apply" | "patch" | "delete">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly watch: MeshWatch;
}

/** Istio's number of attempts; what fails on is looked at again with everything else. */
const MAX_ATTEMPTS = 5;
const BACKOFF = { baseMs: 500, maxMs: 30_000, jitter: 0.2 } as const;
/** A rollout is a burst of events; more at a time would only crowd the API server. */
const CONCURRENCY = 4;
/** Everything is looked at again this often: what was given up, and what was changed behind our back. */
const RESYNC_MS = 5 * 60_000;

/** Runs until the signal fires. `deps.watch` must have synced. */
export async function runWaypointDeployer(
  settings: DeployerSettings,
  deps: DeployerDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const stop = startDeployer(settings, deps);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await stop();
}

function startDeployer(settings: DeployerSettings, deps: DeployerDependencies): () => Promise<void> {
  const { watch, clock } = deps;
  const selection = { namespace: settings.systemNamespace, labelSelector: CLASS_DEFAULTS_LABEL };
  const classDefaults = createInformer(deps.client, CONFIG_MAPS, selection, deps);
  const options = { concurrency: CONCURRENCY, maxAttempts: MAX_ATTEMPTS, backoff: BACKOFF };
  const leftOut: WriteDependencies["leftOut"] = new Set();
  const gateways = createWorkQueue(
    { ...options, name: "waypoints" },
    {
      ...deps,
      reconcile: (key, aborted) =>
        reconcileGateway(key, aborted, { ...deps, leftOut, settings, classDefaults, parameters }),
    },
  );
  const classes = createWorkQueue(
    { ...options, name: "gateway-classes" },
    { ...deps, reconcile: (name, aborted) => reconcileClass(name, aborted, deps) },
  );
  const touch = { watch, touchGateway: (key: string) => gateways.add(key) };
  const parameters = createParametersWatch({
    ...deps,
    onChange: (key) => touchWhere(touch, (gateway) => parametersKey(gateway) === key),
  });
  let timer: Timer | undefined;
  const resync = (): void => {
    classes.add(nameOf(WAYPOINT_CLASS));
    touchWhere(touch, () => true);
    timer = clock.after(RESYNC_MS, resync);
  };
  const unfollow = followCluster({
    ...deps,
    ...touch,
    classDefaults,
    touchClass: (name) => classes.add(name),
    onGateways: () =>
      parameters.retain(new Set(watch.gateways.list().flatMap((gateway) => parametersKey(gateway) ?? []))),
  });
  resync();
  return async () => {
    unfollow();
    timer?.cancel();
    classDefaults.stop();
    parameters.stop();
    await Promise.all([gateways.stop(), classes.stop()]);
  };
}

/** Makes the class that this controller serves when it is missing, and accepts every class that names it. */
async function reconcileClass(name: string, signal: AbortSignal, deps: DeployerDependencies): Promise<void> {
  const gatewayClass = deps.watch.gatewayClasses.get(name);
  if (gatewayClass === undefined) {
    if (name === nameOf(WAYPOINT_CLASS)) await createClass(deps, signal);
    return;
  }
  if (gatewayClass.spec?.controllerName === MESH_CONTROLLER)
    await writeClassStatus(gatewayClass, deps, signal);
}

async function createClass({ client, log }: DeployerDependencies, signal: AbortSignal): Promise<void> {
  try {
    await client.create(GATEWAY_CLASSES, WAYPOINT_CLASS, { signal });
    log.info("GatewayClass created", { name: nameOf(WAYPOINT_CLASS) });
  } catch (error) {
    // Gateway API may be installed later; somebody else may have been faster.
    if (!isNotFound(error) && !isAlreadyExists(error)) throw error;
  }
}
