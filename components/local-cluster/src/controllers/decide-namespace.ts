/** What every namespace has, and how one that is being deleted comes to its end. */

import {
  CONFIG_MAPS,
  type ConfigMap,
  type Namespace,
  nameOf,
  SERVICE_ACCOUNTS,
  type ServiceAccount,
} from "@meltemi/kubernetes";
import { type Decision, NOTHING } from "./action.ts";
import { isTerminating } from "./ownership.ts";

export interface NamespaceView {
  readonly namespace: Namespace;
  readonly defaultAccount: ServiceAccount | undefined;
  readonly rootCertificates: ConfigMap | undefined;
  /** PEM of the API server's authority. */
  readonly certificateAuthority: string;
}

export const ROOT_CERTIFICATES_NAME = "kube-root-ca.crt";

/** Published so that whoever writes the ConfigMap by hand knows better next time. */
const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the " +
  "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** The default service account and the API server's root certificates; put back when changed or removed. */
export function decideNamespaceContent(view: NamespaceView): Decision {
  if (isTerminating(view.namespace)) return NOTHING;
  const namespace = nameOf(view.namespace);
  const actions: Decision["actions"][number][] = [];
  if (view.defaultAccount === undefined)
    actions.push({
      kind: "create",
      type: SERVICE_ACCOUNTS,
      object: { metadata: { name: "default", namespace } },
    });
  const data = { "ca.crt": view.certificateAuthority };
  const { rootCertificates } = view;
  if (rootCertificates === undefined) {
    const metadata = {
      name: ROOT_CERTIFICATES_NAME,
      namespace,
      annotations: { "kubernetes.io/description": DESCRIPTION },
    };
    const object: ConfigMap = { metadata, data };
    actions.push({ kind: "create", type: CONFIG_MAPS, object });
  } else if (
    rootCertificates.data?.["ca.crt"] !== view.certificateAuthority &&
    !isTerminating(rootCertificates)
  )
    actions.push({
      kind: "patch",
      type: CONFIG_MAPS,
      object: rootCertificates,
      body: { data },
      guarded: true,
    });
  return { actions };
}

export type NamespaceEnd =
  | { readonly kind: "keep" }
  /** Delete what is left, then look again. */
  | { readonly kind: "empty"; readonly left: number }
  /** Take our finalizer away: the server removes the namespace. */
  | { readonly kind: "finalize"; readonly finalizers: readonly string[] };

/** `left` counts the objects of all kinds that are still in the namespace. */
export function decideNamespaceEnd(namespace: Namespace, left: number): NamespaceEnd {
  if (!isTerminating(namespace)) return { kind: "keep" };
  const finalizers = namespace.spec?.finalizers ?? [];
  if (!finalizers.includes("kubernetes")) return { kind: "keep" };
  if (left > 0) return { kind: "empty", left };
  return { kind: "finalize", finalizers: finalizers.filter((each) => each !== "kubernetes") };
}
