/** The controllers of namespaces: what each one has from the start, and emptying the ones that are being deleted. */

import {
  CONFIG_MAPS,
  createWorkQueue,
  type KubernetesObject,
  keyOfRef,
  NAMESPACES,
  type Namespace,
  nameOf,
  namespaceOf,
  type ResourceType,
  refOf,
  SERVICE_ACCOUNTS,
} from "@meltemi/kubernetes";
import {
  type ControllerContext,
  queueSelf,
  type RunningController,
  relation,
  running,
  startObjectController,
} from "./controller.ts";
import { decideNamespaceContent, decideNamespaceEnd, ROOT_CERTIFICATES_NAME } from "./decide-namespace.ts";
import { isTerminating, uidOf } from "./ownership.ts";
import { servedKinds } from "./served-kinds.ts";

/** Every namespace has its default service account and the API server's root certificates. */
export function startNamespaceContent(
  context: ControllerContext,
  certificateAuthority: string,
): RunningController {
  const { world } = context;
  const accounts = world.of(SERVICE_ACCOUNTS);
  const maps = world.of(CONFIG_MAPS);
  const named = (wanted: string) => (object: KubernetesObject) =>
    nameOf(object) === wanted ? [namespaceOf(object)] : [];
  return startObjectController(
    {
      name: "namespacecontent",
      type: NAMESPACES,
      decide: (namespace) => {
        const keyOfIts = (name: string): string => keyOfRef({ namespace: nameOf(namespace), name });
        return decideNamespaceContent({
          namespace,
          defaultAccount: accounts.get(keyOfIts("default")),
          rootCertificates: maps.get(keyOfIts(ROOT_CERTIFICATES_NAME)),
          certificateAuthority,
        });
      },
      related: [relation(accounts, named("default")), relation(maps, named(ROOT_CERTIFICATES_NAME))],
    },
    context,
  );
}

/** Pods take their grace period to go; this often it is looked whether all is gone. */
const LOOK_AGAIN_MS = 500;
/** Deletions under way at a time while a namespace is emptied. */
const PARALLEL_DELETES = 8;

/** Deletes everything in a namespace that is being deleted, then lets it go. */
export function startNamespaceEnd(context: ControllerContext): RunningController {
  const namespaces = context.world.of(NAMESPACES);
  const queue = createWorkQueue(
    { name: "namespaceend" },
    {
      clock: context.clock,
      random: context.random,
      log: context.log.scope("controllers::namespaceend"),
      reconcile: async (name, signal) => {
        const namespace = namespaces.get(name);
        if (namespace === undefined || !isTerminating(namespace)) return;
        const left = await emptyNamespace(name, context, signal);
        const end = decideNamespaceEnd(namespace, left);
        if (end.kind === "finalize") await finalize(namespace, end.finalizers, context, signal);
        if (end.kind === "empty") queue.addAfter(name, LOOK_AGAIN_MS);
      },
    },
  );
  namespaces.onChange(queueSelf(queue));
  return running("namespaceend", queue);
}

/** Asks the server itself, kind by kind: a view that lags must not let a namespace go too early. Gives the number of objects left. */
async function emptyNamespace(
  namespace: string,
  context: ControllerContext,
  signal: AbortSignal,
): Promise<number> {
  const kinds = (await servedKinds(context.client, signal)).filter((type) => type.namespaced);
  let left = 0;
  for (const type of kinds) left += await emptyKind(type, namespace, context, signal);
  return left;
}

async function emptyKind(
  type: ResourceType,
  namespace: string,
  { client }: ControllerContext,
  signal: AbortSignal,
): Promise<number> {
  const { items } = await client.list(type, { namespace, signal });
  const present = items.filter((object) => !isTerminating(object));
  for (let from = 0; from < present.length; from += PARALLEL_DELETES) {
    const part = present.slice(from, from + PARALLEL_DELETES);
    await Promise.all(
      part.map((object) =>
        client.delete(type, refOf(object), {
          propagation: "Background",
          preconditions: { uid: uidOf(object) },
          signal,
        }),
      ),
    );
  }
  return items.length;
}

async function finalize(
  namespace: Namespace,
  finalizers: readonly string[],
  { client }: ControllerContext,
  signal: AbortSignal,
): Promise<void> {
  const object: Namespace = { ...namespace, spec: { ...namespace.spec, finalizers: [...finalizers] } };
  await client.replace(NAMESPACES, object, { subresource: "finalize", signal });
}
