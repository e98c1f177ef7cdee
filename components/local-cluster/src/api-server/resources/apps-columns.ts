/** Printer columns of the apps, coordination, rbac, policy, autoscaling, scheduling, networking, admission and apiextensions groups. */
import { at, listAt, numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import {
  AGE,
  count,
  field,
  integer,
  mapText,
  NAME,
  orNone,
  SELECTOR_COLUMN,
  selectorText,
  TEMPLATE_COLUMNS,
  text,
} from "./columns.ts";
import type { Column } from "./resource.ts";

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  text(
    "Ready",
    (object) =>
      `${numberAt(object, "status", "readyReplicas") ?? 0}/${numberAt(object, "spec", "replicas") ?? 0}`,
  ),
  count("Up-to-date", ["status", "updatedReplicas"]),
  count("Available", ["status", "availableReplicas"]),
  AGE,
  ...TEMPLATE_COLUMNS,
  SELECTOR_COLUMN,
];

export const REPLICA_SET_COLUMNS: readonly Column[] = [
  NAME,
  count("Desired", ["spec", "replicas"]),
  count("Current", ["status", "replicas"]),
  count("Ready", ["status", "readyReplicas"]),
  AGE,
  ...TEMPLATE_COLUMNS,
  SELECTOR_COLUMN,
];

export const DAEMON_SET_COLUMNS: readonly Column[] = [
  NAME,
  count("Desired", ["status", "desiredNumberScheduled"]),
  count("Current", ["status", "currentNumberScheduled"]),
  count("Ready", ["status", "numberReady"]),
  count("Up-to-date", ["status", "updatedNumberScheduled"]),
  count("Available", ["status", "numberAvailable"]),
  text("Node Selector", (object) => mapText(at(object, "spec", "template", "spec", "nodeSelector"))),
  AGE,
  ...TEMPLATE_COLUMNS,
  SELECTOR_COLUMN,
];

export const STATEFUL_SET_COLUMNS: readonly Column[] = [
  NAME,
  text(
    "Ready",
    (object) =>
      `${numberAt(object, "status", "readyReplicas") ?? 0}/${numberAt(object, "spec", "replicas") ?? 0}`,
  ),
  AGE,
  ...TEMPLATE_COLUMNS,
];

export const CONTROLLER_REVISION_COLUMNS: readonly Column[] = [
  NAME,
  text("Controller", controllerOf),
  count("Revision", ["revision"]),
  AGE,
];

function controllerOf(object: KubeObject): string {
  const owner = listAt(object, "metadata", "ownerReferences").find(
    (entry) => at(entry, "controller") === true,
  );
  if (owner === undefined) return "<none>";
  const group = (textAt(owner, "apiVersion") ?? "").split("/")[0] ?? "";
  return `${(textAt(owner, "kind") ?? "").toLowerCase()}.${group}/${textAt(owner, "name") ?? ""}`;
}

export const LEASE_COLUMNS: readonly Column[] = [NAME, field("Holder", ["spec", "holderIdentity"]), AGE];

const CREATED_AT: Column = {
  ...field("Created At", ["metadata", "creationTimestamp"]),
};

export const ROLE_COLUMNS: readonly Column[] = [NAME, CREATED_AT];

export const ROLE_BINDING_COLUMNS: readonly Column[] = [
  NAME,
  text(
    "Role",
    (object) => `${textAt(object, "roleRef", "kind") ?? ""}/${textAt(object, "roleRef", "name") ?? ""}`,
  ),
  AGE,
  text("Users", (object) => subjects(object, "User"), 1),
  text("Groups", (object) => subjects(object, "Group"), 1),
  text("ServiceAccounts", (object) => subjects(object, "ServiceAccount"), 1),
];

function subjects(binding: KubeObject, kind: string): string {
  return listAt(binding, "subjects")
    .filter((subject) => textAt(subject, "kind") === kind)
    .map((subject) => {
      const name = textAt(subject, "name") ?? "";
      return kind === "ServiceAccount" ? `${textAt(subject, "namespace") ?? ""}/${name}` : name;
    })
    .join(", ");
}

export const DISRUPTION_BUDGET_COLUMNS: readonly Column[] = [
  NAME,
  text("Min Available", (object) => String(at(object, "spec", "minAvailable") ?? "N/A")),
  text("Max Unavailable", (object) => String(at(object, "spec", "maxUnavailable") ?? "N/A")),
  count("Allowed Disruptions", ["status", "disruptionsAllowed"]),
  AGE,
];

export const AUTOSCALER_COLUMNS: readonly Column[] = [
  NAME,
  text(
    "Reference",
    (object) =>
      `${textAt(object, "spec", "scaleTargetRef", "kind") ?? ""}/${textAt(object, "spec", "scaleTargetRef", "name") ?? ""}`,
  ),
  text("Targets", (object) => `${listAt(object, "spec", "metrics").length} metric(s)`),
  text("MinPods", (object) => String(numberAt(object, "spec", "minReplicas") ?? "<unset>")),
  count("MaxPods", ["spec", "maxReplicas"]),
  count("Replicas", ["status", "currentReplicas"]),
  AGE,
];

export const PRIORITY_CLASS_COLUMNS: readonly Column[] = [
  NAME,
  count("Value", ["value"]),
  text("Global-Default", (object) => at(object, "globalDefault") === true),
  AGE,
  field("PreemptionPolicy", ["preemptionPolicy"], "PreemptLowerPriority"),
];

export const NETWORK_POLICY_COLUMNS: readonly Column[] = [
  NAME,
  text("Pod-Selector", (object) => orNone(selectorText(at(object, "spec", "podSelector")))),
  AGE,
];

export const WEBHOOK_COLUMNS: readonly Column[] = [
  NAME,
  integer("Webhooks", (object) => listAt(object, "webhooks").length),
  AGE,
];

export const CUSTOM_RESOURCE_DEFINITION_COLUMNS: readonly Column[] = [NAME, CREATED_AT];
