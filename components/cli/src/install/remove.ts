/** Takes out of a cluster what an installation put in, found by its labels. */

import {
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  type Deployment,
  isNotFound,
  type KubernetesClient,
  type KubernetesObject,
  nameOf,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import { type Clock, delay, describeError, MeshError } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { findDerived } from "./derived.ts";
import { findControlPlanes } from "./installed.ts";
import { INSTALLED_KINDS, kindOf } from "./kinds.ts";
import { podsOf } from "./pods-of.ts";

const OWNED = "install.operator.istio.io/owning-resource=installed-state";
const LOOK_EVERY_MS = 200;

export interface RemoveOptions {
  /** Only the control plane of this revision; absent means everything (`--purge`). */
  readonly revision: string | undefined;
  readonly istioNamespace: string;
  readonly timeoutMs: number;
  readonly dryRun: boolean;
  /** Go on with the rest when one cannot be removed. */
  readonly force: boolean;
}

export interface RemoveDependencies {
  readonly client: KubernetesClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Number of objects removed (or, dry run, that would be). */
export async function removeInstallation(options: RemoveOptions, deps: RemoveDependencies): Promise<number> {
  const owned = new Set<string>();
  for (const type of INSTALLED_KINDS) {
    for (const object of await listOwned(type, options, deps)) {
      owned.add(keyOf(type, object));
      const what = `${type.kind}/${nameOf(object)}`;
      if (options.dryRun) {
        deps.terminal.line(`  would remove ${what}`);
        continue;
      }
      try {
        await removeAndWait(type, object, options, deps);
      } catch (error) {
        deps.signal.throwIfAborted();
        if (!options.force) throw error;
        deps.terminal.aside(`  not removed: ${what}: ${describeError(error)}`);
        continue;
      }
      deps.terminal.line(`  removed ${what}`);
    }
  }
  if (options.revision !== undefined || (await isStillServed(options.dryRun ? owned : new Set(), deps)))
    return owned.size;
  return owned.size + (await removeDerived(options, deps, owned));
}

/** A control plane that stays (helm's, or one that could not be removed) keeps its key: proxies would trust nobody that a new one vouches for. */
async function isStillServed(leaving: ReadonlySet<string>, deps: RemoveDependencies): Promise<boolean> {
  const found = await findControlPlanes(deps);
  const left = found.filter((one) => !leaving.has(keyOf(DEPLOYMENTS, { metadata: one })));
  for (const { namespace, name } of left)
    deps.terminal.aside(
      `  ${namespace}/${name} is still there, and keeps its key and the roots that it publishes (installed by helm? helm list -n ${namespace})`,
    );
  return left.length > 0;
}

/** Objects that a changed configuration no longer renders, each waited for. */
export async function removeObjects(
  objects: readonly KubernetesObject[],
  options: Pick<RemoveOptions, "timeoutMs">,
  deps: RemoveDependencies,
): Promise<void> {
  for (const object of objects) {
    const type = kindOf({ apiVersion: object.apiVersion ?? "", kind: object.kind ?? "" });
    await removeAndWait(type, object, options, deps);
    deps.terminal.line(`  removed ${type.kind}/${nameOf(object)}`);
  }
}

/** A revision has a control plane of its own; definitions, node agents and node proxies serve all revisions. */
async function listOwned(
  type: ResourceType,
  options: RemoveOptions,
  deps: RemoveDependencies,
): Promise<readonly KubernetesObject[]> {
  const { revision } = options;
  const labelSelector =
    revision === undefined ? OWNED : `${OWNED},operator.istio.io/component=Pilot,istio.io/rev=${revision}`;
  const items = await listOrNone(type, labelSelector, deps);
  // The node agent goes first and alone: on its way out it lets the pods go, which it can only do while the proxies still serve.
  return type === DAEMON_SETS
    ? [...items].sort((a, b) => Number(isZtunnel(a)) - Number(isZtunnel(b)))
    : items;
}

/** A kind that this API server does not serve has no objects. */
async function listOrNone(
  type: ResourceType,
  labelSelector: string,
  { client, signal }: RemoveDependencies,
): Promise<readonly KubernetesObject[]> {
  try {
    return (await client.list(type, { labelSelector, signal })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function isZtunnel(object: KubernetesObject): boolean {
  return object.metadata?.labels?.["app"] === "ztunnel";
}

async function removeAndWait(
  type: ResourceType,
  object: KubernetesObject,
  options: Pick<RemoveOptions, "timeoutMs">,
  deps: RemoveDependencies,
): Promise<void> {
  const ref = refOf(object);
  await deps.client.delete(type, ref, { propagation: "Background", signal: deps.signal });
  const deadlineMs = deps.clock.monotonicMs() + options.timeoutMs;
  for (;;) {
    const left = await whatIsLeft(type, object, deps);
    if (left === undefined) return;
    if (deps.clock.monotonicMs() > deadlineMs)
      throw new MeshError(
        "TIMEOUT",
        `remove ${type.kind}/${ref.name}: ${left} still there after ${options.timeoutMs} ms`,
      );
    deps.terminal.progress(`- Waiting for ${type.kind}/${ref.name} to be gone: ${left} left`);
    await delay(deps.clock, LOOK_EVERY_MS, deps.signal);
  }
}

/**
 * A workload is gone when its pods are: until then a node agent is putting its node in order, a proxy lets its connections end,
 * a control plane still publishes.
 */
async function whatIsLeft(
  type: ResourceType,
  object: KubernetesObject,
  deps: RemoveDependencies,
): Promise<string | undefined> {
  const { client, signal } = deps;
  if ((await client.get(type, refOf(object), { signal })) !== undefined) return "the object";
  if (type !== DAEMON_SETS && type !== DEPLOYMENTS) return undefined;
  const pods = await podsOf(object as DaemonSet | Deployment, client, signal);
  return pods.length === 0 ? undefined : `${pods.length} of its pods`;
}

/** What the control plane itself made; `owned` was told of already. Returns how many objects. */
async function removeDerived(
  options: RemoveOptions,
  deps: RemoveDependencies,
  owned: ReadonlySet<string>,
): Promise<number> {
  const { client, terminal, signal } = deps;
  let removed = 0;
  for (const { type, objects, text } of await findDerived(options.istioNamespace, client, signal)) {
    if (objects.every((object) => owned.has(keyOf(type, object)))) continue;
    if (!options.dryRun) for (const object of objects) await client.delete(type, refOf(object), { signal });
    removed += objects.length;
    terminal.line(`  ${options.dryRun ? "would remove" : "removed"} ${text}`);
  }
  return removed;
}

function keyOf({ kind }: Pick<ResourceType, "kind">, object: KubernetesObject): string {
  return `${kind}/${object.metadata?.namespace ?? ""}/${nameOf(object)}`;
}
