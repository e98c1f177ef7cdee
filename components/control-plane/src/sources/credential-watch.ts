/** Watches the Secrets that DestinationRules name, each by itself: no other Secret of the cluster is ever read. */

import {
  createInformer,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  SECRETS,
  type Secret,
} from "@meltemi/kubernetes";
import type { Collection } from "../compile/collection.ts";
import type { CredentialFacts } from "../compile/l7/facts.ts";

export interface CredentialWatchDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  readonly credentials: Collection<CredentialFacts>;
  readonly onChange: () => void;
}

export interface CredentialWatch {
  /** `namespace/name` of all that are in use now. */
  want(keys: ReadonlySet<string>): void;
  /** All that are wanted now have been asked for once. */
  settled(): Promise<void>;
  stop(): void;
}

/** Each is a watch of its own at the API server. */
const MAX_CREDENTIALS = 1_000;
/** An installation gives this right for chosen namespaces only: a thousand that are forbidden are then three questions a second. */
const FORBIDDEN_RETRY_MS = 5 * 60_000;

export function createCredentialWatch(deps: CredentialWatchDependencies): CredentialWatch {
  const informers = new Map<string, Informer<Secret>>();
  const put = (key: string, facts: CredentialFacts | undefined): void => {
    if (deps.credentials.put(key, facts)) deps.onChange();
  };
  /** What was read before stays in use: a right that goes must not end what runs. */
  const setForbidden = (key: string, isForbidden: boolean): void => {
    const known = deps.credentials.get(key);
    const slash = key.indexOf("/");
    const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
    if (isForbidden && known === undefined) put(key, { namespace, name, isForbidden });
    else if (!isForbidden && known?.isForbidden === true) put(key, undefined);
  };
  const begin = (key: string): Informer<Secret> => {
    const slash = key.indexOf("/");
    const selection = {
      namespace: key.slice(0, slash),
      fieldSelector: `metadata.name=${key.slice(slash + 1)}`,
      forbiddenMaxMs: FORBIDDEN_RETRY_MS,
      onForbidden: (isForbidden: boolean) => setForbidden(key, isForbidden),
    };
    const informer = createInformer(deps.client, SECRETS, selection, deps);
    informer.onChange({
      add: (secret) => put(key, credentialFacts(secret)),
      update: (_previous, secret) => put(key, credentialFacts(secret)),
      delete: () => put(key, undefined),
    });
    return informer;
  };
  return {
    want(keys) {
      for (const [key, informer] of informers) {
        if (keys.has(key)) continue;
        informer.stop();
        informers.delete(key);
        put(key, undefined);
      }
      for (const key of keys) {
        if (informers.has(key)) continue;
        if (informers.size >= MAX_CREDENTIALS) {
          deps.log.warn("more Secrets are named than are read", { secret: key, max: MAX_CREDENTIALS });
          return;
        }
        informers.set(key, begin(key));
      }
    },
    settled: () => Promise.all([...informers.values()].map(({ synced }) => synced)).then(() => undefined),
    stop() {
      for (const informer of informers.values()) informer.stop();
      informers.clear();
    },
  };
}

/** Names of the parts: those of Kubernetes' TLS Secrets, or Istio's older ones (reference: l7-and-cli §2.5). */
function credentialFacts({ metadata, data }: Secret): CredentialFacts {
  const part = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = data?.[name];
      if (typeof value === "string" && value !== "") return Buffer.from(value, "base64").toString("utf8");
    }
    return undefined;
  };
  const certificateChain = part("tls.crt", "cert");
  const privateKey = part("tls.key", "key");
  const caCertificates = part("ca.crt", "cacert");
  return {
    namespace: metadata?.namespace ?? "",
    name: metadata?.name ?? "",
    ...(certificateChain && { certificateChain }),
    ...(privateKey && { privateKey }),
    ...(caCertificates && { caCertificates }),
  };
}
