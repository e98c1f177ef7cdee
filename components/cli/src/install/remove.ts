/** Takes out of a cluster what an installation put in, found by its labels. */

import {
  CONFIG_MAPS,
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  type Deployment,
  GATEWAY_CLASSES,
  isNotFound,
  type KubernetesClient,
  type KubernetesObject,
  LEASES,
  NAMESPACES,
  nameOf,
  type ResourceType,
  refOf,
  SECRETS,
  SERVICES,
} from "@meltemi/kubernetes";
import { type Clock, delay, describeError, MeshError } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { WAYPOINT_CLASS } from "../waypoint/gateway.ts";
import { findControlPlanes } from "./installed.ts";
import { INSTALLED_KINDS, kindOf } from "./kinds.ts";
import { podsOf } from "./pods-of.ts";

const OWNED = "install.operator.istio.io/owning-resource=installed-state";
const LOOK_EVERY_MS = 200;

/** The key of the control plane's own authority. */
const OWN_AUTHORITY = "istio-ca-secret";
/** Leases of its leaders: one for each of their duties and, with revisions, for each revision. */
const LEADERS =
  /^(?:istio-(?:status-leader|gateway-deployment|node-untaint)|meltemi-validation-leader)(?:-|$)/;

/** What the control plane publishes in every namespace. */
const PUBLISHED = ["istio-ca-root-cert", "istio-ca-crl"] as const;

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
  let removed = 0;
  for (const type of INSTALLED_KINDS) {
    for (const object of await listOwned(type, options, deps)) {
      removed += 1;
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
  if (options.revision === undefined && !options.dryRun && !(await isStillServed(deps)))
    await removeDerived(options, deps);
  return removed;
}

/** A control plane that stays (helm's, or one that could not be removed) keeps its key: proxies would trust nobody that a new one vouches for. */
async function isStillServed(deps: RemoveDependencies): Promise<boolean> {
  const left = await findControlPlanes(deps);
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

/** What the control plane itself made: roots and revocation lists in every namespace, and its own. */
async function removeDerived(options: RemoveOptions, deps: RemoveDependencies): Promise<void> {
  const { client, signal } = deps;
  for (const namespace of (await client.list(NAMESPACES, { signal })).items)
    for (const name of PUBLISHED)
      await client.delete(CONFIG_MAPS, { namespace: nameOf(namespace), name }, { signal });
  const gatewayClass = await client
    .get(GATEWAY_CLASSES, { name: WAYPOINT_CLASS }, { signal })
    // Its definition has gone already.
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  if (gatewayClass?.spec?.controllerName === "istio.io/mesh-controller")
    await client.delete(GATEWAY_CLASSES, { name: WAYPOINT_CLASS }, { signal });
  const { istioNamespace: namespace } = options;
  await client.delete(SECRETS, { namespace, name: OWN_AUTHORITY }, { signal });
  // `tag set` has made them.
  const tags = await client.list(SERVICES, { namespace, labelSelector: "app=istiod,istio.io/tag", signal });
  for (const tag of tags.items) await client.delete(SERVICES, refOf(tag), { signal });
  const leases = await client.list(LEASES, { namespace, signal });
  for (const lease of leases.items.filter((one) => LEADERS.test(nameOf(one))))
    await client.delete(LEASES, refOf(lease), { signal });
}
