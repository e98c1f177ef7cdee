/**
 * Keeps ConfigMaps with the CA's public texts in every namespace (reference: protocol §4.4): the roots in `istio-ca-root-cert`, by
 * which pods trust the control plane, and the revocation lists in `istio-ca-crl`. What somebody edits or deletes is put back.
 */

import {
  CONFIG_MAPS,
  type ConfigMap,
  createInformer,
  createWorkQueue,
  type Informer,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubernetesClient,
  NAMESPACES,
  nameOf,
  namespaceOf,
} from "@meltemi/kubernetes";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import { REVOCATION_KEY } from "./revocation-material.ts";

const LABEL = "istio.io/config";
/** A cluster has hundreds of namespaces at most at once in need; this many writes at a time are no burden to the API server. */
const CONCURRENT_WRITES = 4;

interface PublishedKey {
  /** Of the ConfigMap. */
  readonly name: string;
  readonly key: string;
}

export const ROOT_CERTIFICATES: PublishedKey = { name: "istio-ca-root-cert", key: "root-cert.pem" };
export const REVOCATION_LISTS: PublishedKey = { name: "istio-ca-crl", key: REVOCATION_KEY };

export interface PublishedText extends PublishedKey {
  /** Calls back with the text of the moment, if it is known, and with every later one; "" is known to be nothing. */
  readonly onText: (listener: (text: string) => void) => () => void;
}

export interface NamespacePublisherDeps {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "create" | "patch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

type PublishStep =
  | { readonly kind: "nothing" }
  | { readonly kind: "create"; readonly object: ConfigMap }
  | { readonly kind: "patch"; readonly body: unknown };

/**
 * What a namespace's ConfigMap needs; other keys and labels in it are left alone. Where there is nothing to say none is made, and one
 * that is there is emptied: a text of earlier times must not speak for the CA.
 */
export function decidePublication(
  { name, key }: PublishedKey,
  namespace: string,
  found: ConfigMap | undefined,
  text: string,
): PublishStep {
  const labels = { [LABEL]: "true" };
  const data = { [key]: text };
  const present = found?.data?.[key] ?? "";
  if (text === "" && present === "") return { kind: "nothing" };
  if (found === undefined)
    return {
      kind: "create",
      object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels }, data },
    };
  if (present === text && found.metadata?.labels?.[LABEL] === "true") return { kind: "nothing" };
  return { kind: "patch", body: { metadata: { labels }, data } };
}

/** A ConfigMap of every namespace: its text, and those that there are. */
interface Followed {
  readonly published: PublishedText;
  readonly maps: Informer<ConfigMap>;
  text: string | undefined;
}

/** Runs until disposed. Several replicas may run it at once: they write the same. */
export function startNamespacePublisher(
  texts: readonly PublishedText[],
  deps: NamespacePublisherDeps,
): AsyncDisposable {
  const namespaces = createInformer(deps.client, NAMESPACES, {}, deps);
  const followed = texts.map((published): Followed => {
    const fieldSelector = `metadata.name=${published.name}`;
    const maps = createInformer(deps.client, CONFIG_MAPS, { fieldSelector }, deps);
    return { published, maps, text: undefined };
  });
  const reconcile = async (namespace: string): Promise<void> => {
    if (!namespaces.hasSynced) return;
    const holder = namespaces.get(namespace);
    // A namespace on its way out refuses new objects, and needs none.
    if (holder === undefined || holder.metadata?.deletionTimestamp !== undefined) return;
    for (const { published, maps, text } of followed) {
      if (text === undefined || !maps.hasSynced) continue;
      const found = maps.get(`${namespace}/${published.name}`);
      const step = decidePublication(published, namespace, found, text);
      await perform(step, { namespace, name: published.name }, deps);
    }
  };
  const queue = createWorkQueue(
    { name: "namespace-publisher", concurrency: CONCURRENT_WRITES },
    { ...deps, reconcile },
  );
  const all = (): void => {
    for (const namespace of namespaces.list()) queue.add(nameOf(namespace));
  };
  const changed = (map: ConfigMap): void => queue.add(namespaceOf(map));
  const stops = followed.map((one) => {
    // Also those that somebody else made first: what is in them need not be ours.
    one.maps.onChange({ add: changed, update: (_, map) => changed(map), delete: changed });
    return one.published.onText((text) => {
      one.text = text;
      all();
    });
  });
  namespaces.onChange({ add: (one) => queue.add(nameOf(one)) });
  void Promise.all([namespaces.synced, ...followed.map(({ maps }) => maps.synced)]).then(all);
  return {
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop();
      namespaces.stop();
      for (const { maps } of followed) maps.stop();
      await queue.stop();
    },
  };
}

async function perform(
  step: PublishStep,
  ref: { readonly namespace: string; readonly name: string },
  deps: NamespacePublisherDeps,
): Promise<void> {
  try {
    if (step.kind === "create") await deps.client.create(CONFIG_MAPS, step.object);
    if (step.kind === "patch") await deps.client.patch(CONFIG_MAPS, ref, { kind: "merge", body: step.body });
  } catch (error) {
    // Somebody else wrote or deleted it meanwhile: the informer brings the truth, and with it the next try.
    if (isAlreadyExists(error) || isConflict(error) || isNotFound(error)) return;
    throw new MeshError("UNAVAILABLE", `write ConfigMap ${ref.namespace}/${ref.name}`, { cause: error });
  }
}
