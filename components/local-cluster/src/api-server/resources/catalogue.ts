/**
 * The built-in resources, one row each. To add one: name its type in `tools/generate-kubernetes-schemas.ts`, add a row
 * here, and, where it needs them, columns, defaults and validation beside this file.
 */
import type { JsonObject } from "../json.ts";
import { textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import * as apps from "./apps-columns.ts";
import { NAME_AND_AGE } from "./columns.ts";
import * as core from "./core-columns.ts";
import { dnsSubdomain, pathSegment } from "./names.ts";
import { POD_COLUMNS } from "./pod-columns.ts";
import type { Column, Resource, ResourceRules, ScalePaths, Subresource } from "./resource.ts";
import * as rules from "./rules.ts";

interface Row {
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly cluster?: true;
  /** OpenAPI name without the kind, when it is not `io.k8s.api.<group>.<version>`. */
  readonly schemaPackage?: string;
  readonly subresources?: readonly Subresource[];
  readonly columns?: readonly Column[];
  readonly fields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly rules?: Partial<ResourceRules>;
}

const ALL = ["all"];
const STATUS: readonly Subresource[] = ["status"];
const SCALABLE: readonly Subresource[] = ["status", "scale"];
const REPLICAS: ScalePaths = {
  specReplicas: ["spec", "replicas"],
  statusReplicas: ["status", "replicas"],
  selector: ["spec", "selector"],
};

const CORE: readonly Row[] = [
  {
    kind: "Namespace",
    plural: "namespaces",
    shortNames: ["ns"],
    cluster: true,
    subresources: ["status", "finalize"],
    columns: core.NAMESPACE_COLUMNS,
    fields: texts("status.phase"),
    rules: rules.NAMESPACE_RULES,
  },
  {
    kind: "Pod",
    plural: "pods",
    shortNames: ["po"],
    categories: ALL,
    subresources: ["status", "log", "eviction", "binding"],
    columns: POD_COLUMNS,
    rules: rules.POD_RULES,
    fields: texts(
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "status.phase",
      "status.podIP",
      "status.nominatedNodeName",
    ),
  },
  {
    kind: "Service",
    plural: "services",
    shortNames: ["svc"],
    categories: ALL,
    subresources: STATUS,
    columns: core.SERVICE_COLUMNS,
    fields: texts("spec.clusterIP", "spec.type"),
    rules: rules.SERVICE_RULES,
  },
  { kind: "Endpoints", plural: "endpoints", shortNames: ["ep"], columns: core.ENDPOINTS_COLUMNS },
  {
    kind: "ConfigMap",
    plural: "configmaps",
    shortNames: ["cm"],
    columns: core.CONFIG_MAP_COLUMNS,
    rules: rules.CONFIG_MAP_RULES,
  },
  {
    kind: "Secret",
    plural: "secrets",
    columns: core.SECRET_COLUMNS,
    fields: texts("type"),
    rules: rules.SECRET_RULES,
  },
  {
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    shortNames: ["sa"],
    subresources: ["token"],
    columns: core.SERVICE_ACCOUNT_COLUMNS,
  },
  {
    kind: "Node",
    plural: "nodes",
    shortNames: ["no"],
    cluster: true,
    subresources: STATUS,
    columns: core.NODE_COLUMNS,
    fields: {
      "spec.unschedulable": (node) =>
        String((node["spec"] as JsonObject | undefined)?.["unschedulable"] ?? false),
    },
    rules: { keepsStatusOnCreate: true },
  },
  {
    kind: "Event",
    plural: "events",
    shortNames: ["ev"],
    columns: core.EVENT_COLUMNS,
    fields: texts(
      "involvedObject.kind",
      "involvedObject.namespace",
      "involvedObject.name",
      "involvedObject.uid",
      "involvedObject.apiVersion",
      "involvedObject.resourceVersion",
      "involvedObject.fieldPath",
      "reason",
      "reportingComponent",
      "source",
      "type",
    ),
  },
];

const APPS: readonly Row[] = [
  {
    group: "apps",
    kind: "Deployment",
    plural: "deployments",
    shortNames: ["deploy"],
    categories: ALL,
    subresources: SCALABLE,
    columns: apps.DEPLOYMENT_COLUMNS,
    rules: rules.DEPLOYMENT_RULES,
  },
  {
    group: "apps",
    kind: "ReplicaSet",
    plural: "replicasets",
    shortNames: ["rs"],
    categories: ALL,
    subresources: SCALABLE,
    columns: apps.REPLICA_SET_COLUMNS,
    fields: texts("status.replicas"),
    rules: rules.REPLICA_SET_RULES,
  },
  {
    group: "apps",
    kind: "DaemonSet",
    plural: "daemonsets",
    shortNames: ["ds"],
    categories: ALL,
    subresources: STATUS,
    columns: apps.DAEMON_SET_COLUMNS,
    rules: rules.DAEMON_SET_RULES,
  },
  {
    group: "apps",
    kind: "StatefulSet",
    plural: "statefulsets",
    shortNames: ["sts"],
    categories: ALL,
    subresources: SCALABLE,
    columns: apps.STATEFUL_SET_COLUMNS,
    rules: rules.STATEFUL_SET_RULES,
  },
  {
    group: "apps",
    kind: "ControllerRevision",
    plural: "controllerrevisions",
    columns: apps.CONTROLLER_REVISION_COLUMNS,
  },
];

const RBAC = "rbac.authorization.k8s.io";
const ADMISSION = "admissionregistration.k8s.io";
const RBAC_RULES: Partial<ResourceRules> = { checkName: pathSegment };

const OTHERS: readonly Row[] = [
  {
    group: "discovery.k8s.io",
    kind: "EndpointSlice",
    plural: "endpointslices",
    schemaPackage: "io.k8s.api.discovery.v1",
    columns: core.ENDPOINT_SLICE_COLUMNS,
    rules: rules.ENDPOINT_SLICE_RULES,
  },
  {
    group: "coordination.k8s.io",
    kind: "Lease",
    plural: "leases",
    schemaPackage: "io.k8s.api.coordination.v1",
    columns: apps.LEASE_COLUMNS,
  },
  {
    group: RBAC,
    kind: "Role",
    plural: "roles",
    schemaPackage: "io.k8s.api.rbac.v1",
    columns: apps.ROLE_COLUMNS,
    rules: RBAC_RULES,
  },
  {
    group: RBAC,
    kind: "ClusterRole",
    plural: "clusterroles",
    cluster: true,
    schemaPackage: "io.k8s.api.rbac.v1",
    columns: apps.ROLE_COLUMNS,
    rules: RBAC_RULES,
  },
  {
    group: RBAC,
    kind: "RoleBinding",
    plural: "rolebindings",
    schemaPackage: "io.k8s.api.rbac.v1",
    columns: apps.ROLE_BINDING_COLUMNS,
    rules: rules.ROLE_BINDING_RULES,
  },
  {
    group: RBAC,
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    cluster: true,
    schemaPackage: "io.k8s.api.rbac.v1",
    columns: apps.ROLE_BINDING_COLUMNS,
    rules: rules.ROLE_BINDING_RULES,
  },
  {
    group: "policy",
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    shortNames: ["pdb"],
    subresources: STATUS,
    columns: apps.DISRUPTION_BUDGET_COLUMNS,
    rules: { countsGenerations: true },
  },
  {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    shortNames: ["hpa"],
    categories: ALL,
    subresources: STATUS,
    columns: apps.AUTOSCALER_COLUMNS,
    rules: rules.AUTOSCALER_RULES,
  },
  {
    group: ADMISSION,
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
    cluster: true,
    categories: ["api-extensions"],
    schemaPackage: "io.k8s.api.admissionregistration.v1",
    columns: apps.WEBHOOK_COLUMNS,
    rules: { countsGenerations: true },
  },
  {
    group: ADMISSION,
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    cluster: true,
    categories: ["api-extensions"],
    schemaPackage: "io.k8s.api.admissionregistration.v1",
    columns: apps.WEBHOOK_COLUMNS,
    rules: { countsGenerations: true },
  },
  {
    group: "apiextensions.k8s.io",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    cluster: true,
    subresources: STATUS,
    schemaPackage: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    columns: apps.CUSTOM_RESOURCE_DEFINITION_COLUMNS,
    rules: rules.CUSTOM_RESOURCE_DEFINITION_RULES,
  },
  {
    group: "scheduling.k8s.io",
    kind: "PriorityClass",
    plural: "priorityclasses",
    shortNames: ["pc"],
    cluster: true,
    schemaPackage: "io.k8s.api.scheduling.v1",
    columns: apps.PRIORITY_CLASS_COLUMNS,
    rules: rules.PRIORITY_CLASS_RULES,
  },
  {
    group: "events.k8s.io",
    kind: "Event",
    plural: "events",
    shortNames: ["ev"],
    schemaPackage: "io.k8s.api.events.v1",
    fields: texts(
      "regarding.kind",
      "regarding.namespace",
      "regarding.name",
      "regarding.uid",
      "reason",
      "type",
    ),
  },
  {
    group: "networking.k8s.io",
    kind: "NetworkPolicy",
    plural: "networkpolicies",
    shortNames: ["netpol"],
    schemaPackage: "io.k8s.api.networking.v1",
    columns: apps.NETWORK_POLICY_COLUMNS,
    rules: { countsGenerations: true },
  },
];

/** Every built-in resource. */
export const BUILT_IN_RESOURCES: readonly Resource[] = [...CORE, ...APPS, ...OTHERS].map(resourceOf);

function resourceOf(row: Row): Resource {
  const group = row.group ?? "";
  const version = row.version ?? "v1";
  const schemaPackage = row.schemaPackage ?? `io.k8s.api.${group === "" ? "core" : group}.${version}`;
  const subresources = row.subresources ?? [];
  return {
    group,
    kind: row.kind,
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    namespaced: row.cluster !== true,
    storageVersion: version,
    custom: false,
    versions: [
      {
        name: version,
        served: true,
        schema: { $ref: `${schemaPackage}.${row.kind}` },
        columns: row.columns ?? NAME_AND_AGE,
        subresources,
        ...(subresources.includes("scale") ? { scale: REPLICAS } : {}),
      },
    ],
    selectableFields: row.fields ?? {},
    rules: { countsGenerations: false, checkName: dnsSubdomain, ...row.rules },
  };
}

/** Selectable fields that are texts under a path of the same name. */
function texts(...paths: readonly string[]): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    paths.map((path) => [path, (object: KubeObject) => textAt(object, ...path.split(".")) ?? ""]),
  );
}
