/** Which objects that are no longer rendered go. Pure. */

import type { KubernetesObject } from "@meltemi/kubernetes";

/** Which installation it is: a cluster may have several, by revision and by namespace. */
export interface Installation {
  /** Empty: the default one. */
  readonly revision: string;
  readonly istioNamespace: string;
}

/** Of the whole cluster, and for the objects that name no revision. */
const DEFAULT_WEBHOOK = "istiod-default-validator";
const OWNER_LABEL = "install.operator.istio.io/owning-resource";

/**
 * Only what carries the labels of this very installation. Never a definition, which takes with it all that users made of it, never a
 * namespace, and nothing that helm manages.
 */
export function decidePrune(object: KubernetesObject, { revision, istioNamespace }: Installation): boolean {
  const { labels = {}, annotations = {}, namespace } = object.metadata ?? {};
  if (object.kind === "CustomResourceDefinition" || object.kind === "Namespace") return false;
  if (labels[OWNER_LABEL] !== "installed-state") return false;
  if (labels["app.kubernetes.io/managed-by"] === "Helm") return false;
  if (annotations["meta.helm.sh/release-name"] !== undefined) return false;
  if ((labels["istio.io/rev"] ?? "default") !== (revision || "default")) return false;
  if (namespace !== undefined) return namespace === istioNamespace;
  // There is one node agent for the cluster; of what else is cluster-wide, the name says of which namespace's installation it is.
  if (isOfAgent(object)) return true;
  if (object.metadata?.name === DEFAULT_WEBHOOK) return servedFrom(object) === istioNamespace;
  return (object.metadata?.name ?? "").endsWith(`-${istioNamespace}`);
}

/**
 * Of `unrendered`, what goes. An agent in a namespace of its own stays, for only objects of the installation's namespace go: with it
 * stay its rights, without which no pod of its nodes would start.
 */
export function choosePruned(
  unrendered: readonly KubernetesObject[],
  installation: Installation,
): readonly KubernetesObject[] {
  const isAgent = (object: KubernetesObject): boolean => object.kind === "DaemonSet" && isOfAgent(object);
  const staysOne = unrendered.some((object) => isAgent(object) && !decidePrune(object, installation));
  return unrendered.filter(
    (object) =>
      decidePrune(object, installation) &&
      !(staysOne && isOfAgent(object) && object.metadata?.namespace === undefined),
  );
}

function isOfAgent({ metadata }: KubernetesObject): boolean {
  return metadata?.labels?.["operator.istio.io/component"] === "Cni";
}

/** Namespace of the control plane that a webhook leads to. */
function servedFrom(object: KubernetesObject): string | undefined {
  const { webhooks } = object as {
    readonly webhooks?: readonly {
      readonly clientConfig?: { readonly service?: { readonly namespace?: string } };
    }[];
  };
  return webhooks?.[0]?.clientConfig?.service?.namespace;
}
