/** The resources of the core group. */
import { at } from "../json.ts";
import * as core from "./core-columns.ts";
import { POD_COLUMNS } from "./pod-columns.ts";
import { ALL, type Row, STATUS, texts } from "./row.ts";
import * as rules from "./rules.ts";

export const CORE: readonly Row[] = [
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
      "spec.unschedulable": (node) => String(at(node, "spec", "unschedulable") ?? false),
    },
    rules: { keepsStatusOnCreate: true },
  },
  { kind: "ResourceQuota", plural: "resourcequotas", shortNames: ["quota"], subresources: STATUS },
  { kind: "LimitRange", plural: "limitranges", shortNames: ["limits"] },
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
