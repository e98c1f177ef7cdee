/** The resources of the apps group. */
import * as apps from "./apps-columns.ts";
import type { Subresource } from "./resource.ts";
import { ALL, type Row, STATUS, texts } from "./row.ts";
import * as rules from "./rules.ts";

const SCALABLE: readonly Subresource[] = ["status", "scale"];

export const APPS: readonly Row[] = [
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
