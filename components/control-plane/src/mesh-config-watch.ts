/** The mesh's ConfigMap as it is now. What cannot be read, and a ConfigMap that is deleted, change nothing. */

import {
  CONFIG_MAPS,
  type ConfigMap,
  createInformer,
  type InformerDependencies,
  type KubernetesClient,
} from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { sameValue } from "./compile/same-value.ts";
import { type ControlPlaneConfig, type MeshConfig, readMeshConfig } from "./config.ts";

export interface MeshConfigWatch {
  /** The first configuration other than `known`; at once when it is there already. Undefined when the signal fires first. */
  next(known: MeshConfig | undefined, signal: AbortSignal): Promise<MeshConfig | undefined>;
  stop(): void;
}

export interface MeshConfigWatchDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
}

/** Waits for the API server as long as it takes. Without a ConfigMap, the defaults hold until there is one. */
export function watchMeshConfig(
  config: Pick<ControlPlaneConfig, "namespace" | "revision" | "trustDomain">,
  deps: MeshConfigWatchDependencies,
): MeshConfigWatch {
  const { log } = deps;
  const name = config.revision === "default" ? "istio" : `istio-${config.revision}`;
  const selection = { namespace: config.namespace, fieldSelector: `metadata.name=${name}` };
  const informer = createInformer(deps.client, CONFIG_MAPS, selection, deps);
  const waiting = new Set<() => void>();
  let current: MeshConfig | undefined;

  const take = (map: ConfigMap | undefined): void => {
    try {
      current = readMeshConfig(map?.data?.["mesh"], config);
    } catch (error) {
      const kept = current === undefined ? "waiting for one that can be read" : "the last one stays in force";
      log.error(`mesh configuration refused, ${kept}`, { configMap: name, reason: describeError(error) });
      return;
    }
    for (const look of [...waiting]) look();
  };
  informer.onChange({
    add: take,
    update: (_previous, map) => take(map),
    delete: () => log.warn("mesh configuration deleted, the last one stays in force", { configMap: name }),
  });
  void informer.synced.then(() => {
    if (informer.list().length === 0) take(undefined);
  });

  return {
    next: (known, signal) =>
      new Promise((resolve) => {
        const look = (): void => {
          const isNew = current !== undefined && !(known && sameValue(known, current));
          if (!isNew && !signal.aborted) return;
          waiting.delete(look);
          signal.removeEventListener("abort", look);
          resolve(signal.aborted ? undefined : current);
        };
        waiting.add(look);
        signal.addEventListener("abort", look);
        look();
      }),
    stop: () => informer.stop(),
  };
}
