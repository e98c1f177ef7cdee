/** Whether an object that is no longer rendered goes. Pure. */

import type { KubernetesObject } from "@meltemi/kubernetes";

/** Which installation it is: a cluster may have several, by revision and by namespace. */
export interface Installation {
  /** Empty: the default one. */
  readonly revision: string;
  readonly istioNamespace: string;
}

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
  if (labels["operator.istio.io/component"] === "Cni") return true;
  return (object.metadata?.name ?? "").endsWith(`-${istioNamespace}`);
}
