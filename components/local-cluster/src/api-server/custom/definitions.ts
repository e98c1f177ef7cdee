/** From CustomResourceDefinition objects to resources that are served, and their conditions back. */
import type { Clock } from "@meltemi/runtime";
import { at, clone, isObject, type Json, type JsonObject, listAt, sameJson, textAt } from "../json.ts";
import { isTerminating, type KubeObject, timestamp } from "../kube-object.ts";
import type { Resource } from "../resources/resource.ts";
import type { Cluster } from "../write/context.ts";
import { resourceOfDefinition } from "./custom-resource.ts";

const DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions";

export interface Definitions {
  /** Called after every change; does something only when definitions changed. */
  noticed(key: string): void;
}

export function watchDefinitions(cluster: Cluster, clock: Clock): Definitions {
  const { store, registry } = cluster;
  let refreshing = false;

  function refresh(): void {
    const resources: Resource[] = [];
    for (const stored of store.list(DEFINITIONS)) {
      const conflict = conflictWith(resources, stored.object);
      if (conflict === undefined) resources.push(resourceOfDefinition(stored.object));
      establish(stored.object, conflict);
    }
    registry.setCustom(resources);
  }

  function establish(definition: KubeObject, conflict: string | undefined): void {
    const status = statusOf(definition, conflict, timestamp(clock.nowMs()));
    if (sameJson(status, definition["status"])) return;
    const next = clone(definition);
    next["status"] = status;
    store.commit([{ kind: "put", resource: DEFINITIONS, object: next }]);
  }

  function noticed(key: string): void {
    // Writing the conditions is itself a change: it must not start over.
    if (key !== DEFINITIONS || refreshing) return;
    refreshing = true;
    try {
      refresh();
    } finally {
      refreshing = false;
    }
  }
  noticed(DEFINITIONS);
  return { noticed };
}

/** Two definitions of one group cannot share a kind or a plural: the older name keeps it. */
function conflictWith(resources: readonly Resource[], definition: KubeObject): string | undefined {
  const group = textAt(definition, "spec", "group") ?? "";
  const kind = textAt(definition, "spec", "names", "kind") ?? "";
  const found = resources.find((resource) => resource.group === group && resource.kind === kind);
  return found === undefined
    ? undefined
    : `${JSON.stringify(kind)} is already in use by ${found.plural}.${group}`;
}

function statusOf(definition: KubeObject, conflict: string | undefined, now: string): JsonObject {
  const previous = definition["status"];
  const names = at(definition, "spec", "names");
  const storage = listAt(definition, "spec", "versions").find((version) => at(version, "storage") === true);
  const stored = new Set([
    ...listAt(previous, "storedVersions").map(String),
    textAt(storage, "name") ?? "v1",
  ]);
  const accepted = conflict === undefined;
  const wanted: JsonObject[] = [
    accepted
      ? { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" }
      : { type: "NamesAccepted", status: "False", reason: "KindConflict", message: conflict },
    accepted
      ? {
          type: "Established",
          status: "True",
          reason: "InitialNamesAccepted",
          message: "the initial names have been accepted",
        }
      : {
          type: "Established",
          status: "False",
          reason: "NotAccepted",
          message: "not all names are accepted",
        },
  ];
  if (isTerminating(definition)) {
    wanted.push({
      type: "Terminating",
      status: "True",
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion",
    });
  }
  return {
    acceptedNames: accepted && isObject(names) ? names : { kind: "", plural: "" },
    conditions: wanted.map((condition) => keepTransition(condition, listAt(previous, "conditions"), now)),
    storedVersions: [...stored],
  };
}

function keepTransition(condition: JsonObject, previous: readonly Json[], now: string): JsonObject {
  const before = previous.find((entry) => textAt(entry, "type") === condition["type"]);
  const unchanged = textAt(before, "status") === condition["status"];
  return {
    ...condition,
    lastTransitionTime: unchanged ? (textAt(before, "lastTransitionTime") ?? now) : now,
  };
}
