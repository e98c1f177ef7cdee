/**
 * Puts the roots into ConfigMap `istio-ca-root-cert` of every namespace (reference: protocol §4.4), and puts them back when
 * somebody edits or deletes it. Pods mount it to trust the control plane.
 */

import {
  CONFIG_MAPS,
  type ConfigMap,
  createInformer,
  createWorkQueue,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubernetesClient,
  NAMESPACES,
  nameOf,
  namespaceOf,
} from "@meltemi/kubernetes";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";

const ROOT_CONFIG_MAP = "istio-ca-root-cert";
const KEY = "root-cert.pem";
const LABEL = "istio.io/config";
/** A cluster has hundreds of namespaces at most at once in need; this many writes at a time are no burden to the API server. */
const CONCURRENT_WRITES = 4;

export interface RootDistributorDeps {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "create" | "patch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Calls back with the bundle of the moment and with every later one. */
  readonly onRootBundle: (listener: (pem: string) => void) => () => void;
}

type RootMapStep =
  | { readonly kind: "nothing" }
  | { readonly kind: "create"; readonly object: ConfigMap }
  | { readonly kind: "patch"; readonly body: unknown };

/** What a namespace's ConfigMap needs; other keys and labels in it are left alone. */
export function decideRootMap(namespace: string, found: ConfigMap | undefined, pem: string): RootMapStep {
  const labels = { [LABEL]: "true" };
  const data = { [KEY]: pem };
  if (found === undefined)
    return {
      kind: "create",
      object: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: ROOT_CONFIG_MAP, namespace, labels },
        data,
      },
    };
  if (found.data?.[KEY] === pem && found.metadata?.labels?.[LABEL] === "true") return { kind: "nothing" };
  return { kind: "patch", body: { metadata: { labels }, data } };
}

/** Runs until disposed. Several replicas may run it at once: they write the same. */
export function startRootCertificateDistributor(deps: RootDistributorDeps): AsyncDisposable {
  let pem: string | undefined;
  const namespaces = createInformer(deps.client, NAMESPACES, {}, deps);
  const fieldSelector = `metadata.name=${ROOT_CONFIG_MAP}`;
  const maps = createInformer(deps.client, CONFIG_MAPS, { fieldSelector }, deps);
  const reconcile = async (namespace: string): Promise<void> => {
    if (pem === undefined || !namespaces.hasSynced || !maps.hasSynced) return;
    const holder = namespaces.get(namespace);
    // A namespace on its way out refuses new objects, and needs none.
    if (holder === undefined || holder.metadata?.deletionTimestamp !== undefined) return;
    const step = decideRootMap(namespace, maps.get(`${namespace}/${ROOT_CONFIG_MAP}`), pem);
    await perform(step, namespace, deps);
  };
  const queue = createWorkQueue(
    { name: "root-certificates", concurrency: CONCURRENT_WRITES },
    { ...deps, reconcile },
  );
  const all = (): void => {
    for (const namespace of namespaces.list()) queue.add(nameOf(namespace));
  };
  const stopBundle = deps.onRootBundle((next) => {
    pem = next;
    all();
  });
  namespaces.onChange({ add: (one) => queue.add(nameOf(one)) });
  const changed = (map: ConfigMap): void => queue.add(namespaceOf(map));
  // Also those that somebody else made first: what is in them need not be ours.
  maps.onChange({ add: changed, update: (_, map) => changed(map), delete: changed });
  void Promise.all([namespaces.synced, maps.synced]).then(all);
  return {
    async [Symbol.asyncDispose]() {
      stopBundle();
      namespaces.stop();
      maps.stop();
      await queue.stop();
    },
  };
}

async function perform(step: RootMapStep, namespace: string, deps: RootDistributorDeps): Promise<void> {
  const ref = { namespace, name: ROOT_CONFIG_MAP };
  try {
    if (step.kind === "create") await deps.client.create(CONFIG_MAPS, step.object);
    if (step.kind === "patch") await deps.client.patch(CONFIG_MAPS, ref, { kind: "merge", body: step.body });
  } catch (error) {
    // Somebody else wrote or deleted it meanwhile: the informer brings the truth, and with it the next try.
    if (isAlreadyExists(error) || isConflict(error) || isNotFound(error)) return;
    throw new MeshError("UNAVAILABLE", `write ConfigMap ${namespace}/${ROOT_CONFIG_MAP}`, { cause: error });
  }
}
