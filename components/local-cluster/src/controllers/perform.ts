/** Carries out what a controller decided, then waits until the world shows it: the next decision must not repeat this one. */

import {
  isAlreadyExists,
  isNotFound,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import { type Clock, MeshError } from "@meltemi/runtime";
import type { Action } from "./action.ts";
import { isTerminating, uidOf } from "./ownership.ts";
import type { World } from "./world.ts";

export interface PerformDependencies {
  readonly client: KubernetesClient;
  readonly world: World;
  readonly clock: Clock;
}

/** A watch delivers within milliseconds; after this long it is broken and the reconciliation is tried again. */
const SHOWN_WITHIN_MS = 30_000;

/** In order; the first failure ends it (the queue tries again with a fresh view). */
export async function perform(
  actions: readonly Action[],
  deps: PerformDependencies,
  signal: AbortSignal,
): Promise<void> {
  const shown: Promise<void>[] = [];
  for (const action of actions) {
    const done = await performOne(action, deps, signal);
    if (done !== undefined) shown.push(waitUntilShown(action.type, done, deps, signal));
  }
  await Promise.all(shown);
}

/** What must be seen in the store: this object or a later state of it, or its absence. */
type Outcome = { readonly key: string; readonly isShown: (object: KubernetesObject | undefined) => boolean };

async function performOne(
  action: Action,
  { client }: PerformDependencies,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  switch (action.kind) {
    case "create": {
      const made = await create(action.type, action.object, client, signal);
      if (made === undefined) return undefined;
      const uid = uidOf(made);
      return { key: keyOf(made), isShown: (object) => object !== undefined && uidOf(object) === uid };
    }
    case "delete": {
      const { type, object, propagation, gracePeriodSeconds } = action;
      const uid = uidOf(object);
      await client.delete(type, refOf(object), {
        propagation,
        gracePeriodSeconds,
        preconditions: { uid },
        signal,
      });
      return {
        key: keyOf(object),
        isShown: (now) => now === undefined || uidOf(now) !== uid || isTerminating(now),
      };
    }
    case "patch": {
      const { type, object, subresource } = action;
      try {
        const patched = await client.patch(
          type,
          refOf(object),
          { kind: "merge", body: patchBody(action) },
          { subresource, signal },
        );
        const before = object.metadata?.resourceVersion;
        const after = patched.metadata?.resourceVersion;
        if (before === after) return undefined;
        return { key: keyOf(object), isShown: (now) => now?.metadata?.resourceVersion !== before };
      } catch (error) {
        // It went meanwhile; its deletion is on its way to us.
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    default:
      return undefined;
  }
}

function patchBody(action: Action & { kind: "patch" }): object {
  const { resourceVersion, uid } = action.object.metadata ?? {};
  if (!action.guarded) return action.body;
  const metadata = (action.body["metadata"] ?? {}) as object;
  return { ...action.body, metadata: { ...metadata, resourceVersion, uid } };
}

/** Undefined when an object of that name is there already: the world will show it. */
async function create(
  type: ResourceType,
  object: KubernetesObject,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  try {
    return await client.create(type, object, { signal });
  } catch (error) {
    if (isAlreadyExists(error) && object.metadata?.name !== undefined) return undefined;
    throw error;
  }
}

function waitUntilShown(
  type: ResourceType,
  outcome: Outcome,
  { world, clock }: PerformDependencies,
  signal: AbortSignal,
): Promise<void> {
  const informer = world.of(type);
  if (outcome.isShown(informer.get(outcome.key))) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      timer.cancel();
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onAbort = (): void => end(() => reject(signal.reason));
    const check = (object: KubernetesObject): void => {
      if (keyOf(object) === outcome.key && outcome.isShown(informer.get(outcome.key))) end(resolve);
    };
    const unsubscribe = informer.onChange(
      { add: check, update: (_, object) => check(object), delete: check },
      { replay: false },
    );
    const timer = clock.after(SHOWN_WITHIN_MS, () =>
      end(() =>
        reject(
          new MeshError(
            "TIMEOUT",
            `${type.kind} ${outcome.key}: own write not seen within ${SHOWN_WITHIN_MS} ms`,
          ),
        ),
      ),
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
