/**
 * ConfigMaps that Gateways name as parameters, each watched on its own: a control plane that held every ConfigMap of a cluster would
 * hold much that is none of its business.
 */

import {
  CONFIG_MAPS,
  type ConfigMap,
  createInformer,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  parseKey,
} from "@meltemi/kubernetes";

export interface ParametersWatch {
  /** As it is now; undefined when there is none. Waits for the API server; rejects when the signal fires first. */
  find(key: string, signal: AbortSignal): Promise<ConfigMap | undefined>;
  /** Only these are named now: others need not be watched. */
  retain(keys: ReadonlySet<string>): void;
  stop(): void;
}

export interface ParametersWatchDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  readonly onChange: (key: string) => void;
}

export function createParametersWatch(deps: ParametersWatchDependencies): ParametersWatch {
  const informers = new Map<string, Informer<ConfigMap>>();

  const open = (key: string): Informer<ConfigMap> => {
    const { namespace, name } = parseKey(key);
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    const informer = createInformer(deps.client, CONFIG_MAPS, selection, deps);
    const tell = (): void => {
      // The first list answers who asked for it.
      if (informer.hasSynced) deps.onChange(key);
    };
    informer.onChange({ add: tell, update: tell, delete: tell });
    informers.set(key, informer);
    return informer;
  };

  return {
    async find(key, signal) {
      const informer = informers.get(key) ?? open(key);
      await untilSynced(informer, signal);
      return informer.get(key);
    },
    retain(keys) {
      for (const [key, informer] of informers) {
        if (keys.has(key)) continue;
        informer.stop();
        informers.delete(key);
      }
    },
    stop() {
      for (const informer of informers.values()) informer.stop();
      informers.clear();
    },
  };
}

/** Rejects when the signal fires first. */
export async function untilSynced(
  informer: Pick<Informer<ConfigMap>, "synced">,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([informer.synced, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
