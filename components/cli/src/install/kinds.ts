/** Which API a rendered object belongs to. */

import {
  apiVersionOf,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  HORIZONTAL_POD_AUTOSCALERS,
  type KubernetesObject,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  type ResourceType,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  VALIDATING_WEBHOOKS,
} from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

/** Admits critical pods on some platforms. */
const RESOURCE_QUOTAS: ResourceType<KubernetesObject> = {
  group: "",
  version: "v1",
  plural: "resourcequotas",
  kind: "ResourceQuota",
  namespaced: true,
};
/** Of Multus, on OpenShift. */
const NETWORK_ATTACHMENTS: ResourceType<KubernetesObject> = {
  group: "k8s.cni.cncf.io",
  version: "v1",
  plural: "network-attachment-definitions",
  kind: "NetworkAttachmentDefinition",
  namespaced: true,
};

/**
 * Every kind an installation holds, in the order of removal: what runs first (the node agent before the proxies,
 * so that it can let the pods go), what it stands on last.
 */
export const INSTALLED_KINDS: readonly ResourceType<KubernetesObject>[] = [
  DAEMON_SETS,
  // Before the control plane that answers them: a webhook without a server refuses what it is asked about.
  VALIDATING_WEBHOOKS,
  MUTATING_WEBHOOKS,
  HORIZONTAL_POD_AUTOSCALERS,
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
  RESOURCE_QUOTAS,
  NETWORK_ATTACHMENTS,
  SERVICES,
  CONFIG_MAPS,
  SECRETS,
  ROLE_BINDINGS,
  ROLES,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  SERVICE_ACCOUNTS,
  CUSTOM_RESOURCE_DEFINITIONS,
];

/** Throws UNSUPPORTED for a kind that no chart of ours renders. */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): ResourceType {
  // Not found by their labels when something is removed: the cluster's own EndpointSlices carry the labels of their Service.
  const found = [...INSTALLED_KINDS, NAMESPACES, ENDPOINT_SLICES].find(
    (type) => type.kind === object.kind && apiVersionOf(type) === object.apiVersion,
  );
  if (found === undefined)
    throw new MeshError(
      "UNSUPPORTED",
      `install ${object.apiVersion} ${object.kind}: not a kind an installation holds`,
    );
  return found;
}
