/** The resources of every group but core and apps. */

import { numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import * as apps from "./apps-columns.ts";
import * as core from "./core-columns.ts";
import { EVENT_FORM } from "./event-forms.ts";
import { JOB_COLUMNS } from "./job-columns.ts";
import { pathSegment } from "./names.ts";
import type { ResourceRules } from "./resource.ts";
import { ALL, type Row, STATUS, texts } from "./row.ts";
import * as rules from "./rules.ts";
import { defaultWebhooks, webhookFaults } from "./webhook-configurations.ts";

const RBAC = "rbac.authorization.k8s.io";
const ADMISSION = "admissionregistration.k8s.io";
const WEBHOOK_RULES: Partial<ResourceRules> = {
  countsGenerations: true,
  applyDefaults: defaultWebhooks,
  validate: webhookFaults,
};
const RBAC_RULES: Partial<ResourceRules> = { checkName: pathSegment };

export const OTHERS: readonly Row[] = [
  {
    group: "batch",
    kind: "Job",
    plural: "jobs",
    categories: ALL,
    subresources: STATUS,
    columns: JOB_COLUMNS,
    fields: { "status.successful": (job) => String(numberAt(job, "status", "succeeded") ?? 0) },
    rules: rules.JOB_RULES,
  },
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
    rules: rules.LEASE_RULES,
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
    rules: WEBHOOK_RULES,
  },
  {
    group: ADMISSION,
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    cluster: true,
    categories: ["api-extensions"],
    schemaPackage: "io.k8s.api.admissionregistration.v1",
    columns: apps.WEBHOOK_COLUMNS,
    rules: WEBHOOK_RULES,
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
    columns: core.EVENT_COLUMNS,
    storageForm: EVENT_FORM,
    fields: {
      ...regarding("kind"),
      ...regarding("namespace"),
      ...regarding("name"),
      ...regarding("uid"),
      ...texts("reason", "type"),
    },
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

/** Selected by its newer name, read from the form that is stored. */
function regarding(field: string): Record<string, (event: KubeObject) => string> {
  return { [`regarding.${field}`]: (event) => textAt(event, "involvedObject", field) ?? "" };
}
