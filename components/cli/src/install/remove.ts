/** Takes out of a cluster what an installation put in, found by its labels. */

import {
  CONFIG_MAPS,
  DAEMON_SETS,
  type KubernetesClient,
  type KubernetesObject,
  NAMESPACES,
  nameOf,
  PODS,
  type ResourceType,
  refOf,
  SECRETS,
} from "@meltemi/kubernetes";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { INSTALLED_KINDS } from "./kinds.ts";

const OWNED = "install.operator.istio.io/owning-resource=installed-state";
const LOOK_EVERY_MS = 200;

export interface RemoveOptions {
  /** Only objects of this revision; absent means everything (`--purge`). */
  readonly revision: string | undefined;
  readonly istioNamespace: string;
  readonly timeoutMs: number;
  readonly dryRun: boolean;
}

export interface RemoveDependencies {
  readonly client: KubernetesClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
}

/** Number of objects removed (or, dry run, that would be). */
export async function removeInstallation(options: RemoveOptions, deps: RemoveDependencies): Promise<number> {
  const selector = options.revision === undefined ? OWNED : `${OWNED},istio.io/rev=${options.revision}`;
  let removed = 0;
  for (const type of INSTALLED_KINDS) {
    const found = await listOwned(type, selector, deps.client);
    // The node agent goes first and alone: on its way out it lets the pods go, which it can only do while the proxies still serve.
    if (type === DAEMON_SETS) found.sort((a, b) => Number(isZtunnel(a)) - Number(isZtunnel(b)));
    for (const object of found) {
      removed += 1;
      deps.terminal.line(`  ${options.dryRun ? "would remove" : "removed"} ${type.kind}/${nameOf(object)}`);
      if (!options.dryRun) await removeAndWait(type, object, options, deps);
    }
  }
  if (options.revision === undefined && !options.dryRun) await removeDerived(options, deps.client);
  return removed;
}

async function listOwned(
  type: ResourceType,
  labelSelector: string,
  client: KubernetesClient,
): Promise<KubernetesObject[]> {
  return [...(await client.list(type, { labelSelector })).items];
}

function isZtunnel(object: KubernetesObject): boolean {
  return object.metadata?.labels?.["app"] === "ztunnel";
}

async function removeAndWait(
  type: ResourceType,
  object: KubernetesObject,
  options: RemoveOptions,
  deps: RemoveDependencies,
): Promise<void> {
  const ref = refOf(object);
  await deps.client.delete(type, ref, { propagation: "Background" });
  const deadlineMs = deps.clock.monotonicMs() + options.timeoutMs;
  while (await isStillThere(type, object, deps.client)) {
    if (deps.clock.monotonicMs() > deadlineMs)
      throw new MeshError(
        "TIMEOUT",
        `remove ${type.kind}/${ref.name}: still there after ${options.timeoutMs} ms`,
      );
    deps.terminal.progress(`- Waiting for ${type.kind}/${ref.name} to be gone`);
    await delay(deps.clock, LOOK_EVERY_MS);
  }
}

/** A DaemonSet is gone when its pods are: until then its agent is still putting the nodes in order. */
async function isStillThere(
  type: ResourceType,
  object: KubernetesObject,
  client: KubernetesClient,
): Promise<boolean> {
  if ((await client.get(type, refOf(object))) !== undefined) return true;
  if (type !== DAEMON_SETS) return false;
  const labels = object.metadata?.labels ?? {};
  const label = labels["k8s-app"] === undefined ? `app=${labels["app"]}` : `k8s-app=${labels["k8s-app"]}`;
  const pods = await client.list(PODS, {
    namespace: object.metadata?.namespace,
    labelSelector: label,
  });
  return pods.items.length > 0;
}

/** What the control plane itself made: root certificates in every namespace and its own key. */
async function removeDerived(options: RemoveOptions, client: KubernetesClient): Promise<void> {
  for (const namespace of (await client.list(NAMESPACES)).items) {
    await client.delete(CONFIG_MAPS, { namespace: nameOf(namespace), name: "istio-ca-root-cert" });
  }
  await client.delete(SECRETS, { namespace: options.istioNamespace, name: "istio-ca-secret" });
}
