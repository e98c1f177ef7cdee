/** The peer of every figure about a change: a bare watch of the changed object, which nobody can be quicker than. */

import type { KubernetesClient, KubernetesObject, ResourceType } from "@meltemi/kubernetes";
import { machineMs } from "./messages.ts";

export interface WatchFloor extends Disposable {
  /** When the watch told of the next change from now on. Ask before the change is made. */
  next(): Promise<number>;
}

/** Of all objects of the kind in the namespace; of all objects when the kind has no namespaces. */
export async function watchFloor<T extends KubernetesObject>(
  client: KubernetesClient,
  type: ResourceType<T>,
  namespace: string | undefined,
): Promise<WatchFloor> {
  const stop = new AbortController();
  let tell: (atMs: number) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const { resourceVersion } = await client.list(type, { namespace });
  const follow = async (): Promise<void> => {
    const events = client.watch(type, { namespace, resourceVersion, signal: stop.signal });
    for await (const event of events) if (event.kind !== "bookmark") tell(machineMs());
    throw new Error(`the watch of ${type.plural} ended`);
  };
  follow().catch((error: unknown) => fail(error));
  return {
    next() {
      const told = new Promise<number>((resolve, reject) => {
        [tell, fail] = [resolve, reject];
      });
      // Its failure is seen when it is awaited, after the change.
      told.catch(() => undefined);
      return told;
    },
    [Symbol.dispose]: () => stop.abort(),
  };
}
