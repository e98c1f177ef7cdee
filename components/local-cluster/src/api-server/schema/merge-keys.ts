/**
 * How lists and maps of built-in types merge: what Kubernetes' OpenAPI says with `x-kubernetes-list-type`,
 * `-list-map-keys`, `-map-type`, `-patch-merge-key` and `-patch-strategy`. A field that is not here is a plain map
 * (merged key by key) or an atomic list.
 */
import type { Schema } from "./schema.ts";

/** `Type.field: strategic merge key; server-side apply keys` (the same when one is given); `set` is a set of scalars. */
const LISTS: Readonly<Record<string, string>> = {
  "Container.env": "name",
  "Container.ports": "containerPort; containerPort,protocol",
  "Container.volumeDevices": "devicePath",
  "Container.volumeMounts": "mountPath",
  "CustomResourceDefinitionStatus.conditions": "type",
  "DaemonSetStatus.conditions": "type",
  "DeploymentStatus.conditions": "type",
  "Endpoint.addresses": "set",
  "EphemeralContainer.env": "name",
  "EphemeralContainer.ports": "containerPort; containerPort,protocol",
  "EphemeralContainer.volumeDevices": "devicePath",
  "EphemeralContainer.volumeMounts": "mountPath",
  "HorizontalPodAutoscalerStatus.conditions": "type",
  "JobStatus.conditions": "type",
  "MutatingWebhook.matchConditions": "name",
  "MutatingWebhookConfiguration.webhooks": "name",
  "NamespaceStatus.conditions": "type",
  "NodeSpec.podCIDRs": "set",
  "NodeStatus.addresses": "type",
  "NodeStatus.conditions": "type",
  "ObjectMeta.finalizers": "set",
  "ObjectMeta.ownerReferences": "uid",
  "PodDisruptionBudgetStatus.conditions": "type",
  "PodSpec.containers": "name",
  "PodSpec.ephemeralContainers": "name",
  "PodSpec.hostAliases": "ip",
  "PodSpec.imagePullSecrets": "name",
  "PodSpec.initContainers": "name",
  "PodSpec.resourceClaims": "name",
  "PodSpec.schedulingGates": "name",
  "PodSpec.topologySpreadConstraints": "topologyKey; topologyKey,whenUnsatisfiable",
  "PodSpec.volumes": "name",
  "PodStatus.conditions": "type",
  "PodStatus.podIPs": "ip",
  "ReplicaSetStatus.conditions": "type",
  "ResourceRequirements.claims": "; name",
  "ServiceAccount.secrets": "name",
  "ServiceSpec.ports": "port; port,protocol",
  "ServiceStatus.conditions": "type",
  "StatefulSetStatus.conditions": "type",
  "UncountedTerminatedPods.failed": "set",
  "UncountedTerminatedPods.succeeded": "set",
  "ValidatingWebhook.matchConditions": "name",
  "ValidatingWebhookConfiguration.webhooks": "name",
};

/** Fields and types that server-side apply owns as one value. */
const ATOMIC: ReadonlySet<string> = new Set([
  "ConfigMapKeySelector",
  "EndpointAddress",
  "EndpointPort",
  "LabelSelector",
  "LocalObjectReference",
  "NodeSelector",
  "NodeSelectorTerm",
  "ObjectFieldSelector",
  "ObjectReference",
  "OwnerReference",
  "PodSpec.nodeSelector",
  "ResourceFieldSelector",
  "RoleRef",
  "SecretKeySelector",
  "SecretReference",
  "ServiceSpec.selector",
  "Subject",
  "TypedLocalObjectReference",
]);

/** Strategies of the strategic merge patch other than merging by key. */
const STRATEGIES: Readonly<Record<string, string>> = {
  "DeploymentSpec.strategy": "retainKeys",
  "PodDisruptionBudgetSpec.selector": "replace",
  "PodSpec.resourceClaims": "merge,retainKeys",
  "PodSpec.volumes": "merge,retainKeys",
};

/** What each list element must carry for its keys to be known, when the writer left it out. */
export const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: "TCP" };

/** A copy of the generated schemas with the merge facts above written into them. */
export function addMergeKeys(schemas: ReadonlyMap<string, Schema>): ReadonlyMap<string, Schema> {
  const result = new Map<string, Schema>();
  for (const [name, schema] of schemas) {
    const type = name.slice(name.lastIndexOf(".") + 1);
    const properties = Object.entries(schema.properties ?? {}).map(([field, property]): [string, Schema] => [
      field,
      { ...property, ...mergeFacts(`${type}.${field}`, property) },
    ]);
    result.set(name, {
      ...schema,
      ...(schema.properties === undefined ? {} : { properties: Object.fromEntries(properties) }),
      ...(ATOMIC.has(type) ? { "x-kubernetes-map-type": "atomic" } : {}),
    });
  }
  return result;
}

function mergeFacts(field: string, schema: Schema): Schema {
  const strategy = STRATEGIES[field];
  const facts: Schema = {
    ...(ATOMIC.has(field) ? { "x-kubernetes-map-type": "atomic" } : {}),
    ...(strategy === undefined ? {} : { "x-kubernetes-patch-strategy": strategy }),
  };
  const rule = LISTS[field];
  if (rule === undefined)
    return schema.type === "array" ? { ...facts, "x-kubernetes-list-type": "atomic" } : facts;
  if (rule === "set") {
    return { ...facts, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": strategy ?? "merge" };
  }
  const [patchKey = "", applyKeys = patchKey] = rule.split("; ");
  return {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": applyKeys.split(","),
    ...(patchKey === ""
      ? {}
      : { "x-kubernetes-patch-merge-key": patchKey, "x-kubernetes-patch-strategy": strategy ?? "merge" }),
  };
}
