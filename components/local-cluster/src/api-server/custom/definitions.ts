/** From CustomResourceDefinition objects to resources that are served, their conditions back, and their end. */
import type { Clock } from "@meltemi/runtime";
import { timestamp } from "../../timestamp.ts";
import { at, clone, isObject, type Json, type JsonObject, listAt, sameJson, textAt } from "../json.ts";
import { finalizersOf, isTerminating, type KubeObject } from "../kube-object.ts";
import { type Resource, resourceKey } from "../resources/resource.ts";
import type { Stored } from "../store/object-store.ts";
import type { Cluster } from "../write/context.ts";
import { removeAll } from "../write/remove-all.ts";
import { resourceOfDefinition } from "./custom-resource.ts";
import { CLEANUP_FINALIZER } from "./definition-rules.ts";

const DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions";

export interface Definitions {
  /** Called after every change; does something only when it concerns definitions, or objects of one that is going. */
  noticed(key: string): void;
}

export function watchDefinitions(cluster: Cluster, clock: Clock): Definitions {
  const { store, registry } = cluster;
  let refreshing = false;
  let going = new Set<string>();

  function refresh(): void {
    const resources: Resource[] = [];
    going = new Set();
    for (const stored of store.list(DEFINITIONS)) {
      const conflict = conflictWith(
        [...registry.all().filter((resource) => !resource.custom), ...resources],
        stored.object,
      );
      const resource = resourceOfDefinition(stored.object);
      if (isTerminating(stored.object) && cleanedUp(stored, resource)) continue;
      if (conflict === undefined) resources.push(resource);
      establish(stored, conflict);
    }
    registry.setCustom(resources);
  }

  /** Objects of a definition go before it does; true when it is gone. */
  function cleanedUp(stored: Stored, resource: Resource): boolean {
    const key = resourceKey(resource);
    removeAll(cluster, resource, clock.nowMs());
    if (store.list(key).length > 0) {
      going.add(key);
      return false;
    }
    const left = finalizersOf(stored.object).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    const object = clone(stored.object);
    object.metadata["finalizers"] = left;
    if (sameJson(left, stored.object.metadata["finalizers"])) return false;
    store.commit([{ kind: left.length === 0 ? "remove" : "put", resource: DEFINITIONS, object }]);
    return left.length === 0;
  }

  function establish(stored: Stored, conflict: string | undefined): void {
    const definition = store.get(DEFINITIONS, "", stored.name)?.object ?? stored.object;
    const status = statusOf(definition, conflict, timestamp(clock.nowMs()));
    if (sameJson(status, definition["status"])) return;
    store.commit([{ kind: "put", resource: DEFINITIONS, object: { ...definition, status } }]);
  }

  function noticed(key: string): void {
    // What a refresh writes is itself a change: it must not start over.
    if ((key !== DEFINITIONS && !going.has(key)) || refreshing) return;
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

/** Two resources of one group cannot share a kind or a plural: the one that was there keeps it. */
function conflictWith(resources: readonly Resource[], definition: KubeObject): string | undefined {
  const group = textAt(definition, "spec", "group") ?? "";
  const kind = textAt(definition, "spec", "names", "kind") ?? "";
  const plural = textAt(definition, "spec", "names", "plural") ?? "";
  const found = resources.find(
    (resource) => resource.group === group && (resource.kind === kind || resource.plural === plural),
  );
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
  const wanted = conflict === undefined ? ACCEPTED : refusedConditions(conflict);
  const conditions = isTerminating(definition) ? [...wanted, TERMINATING] : wanted;
  return {
    acceptedNames: conflict === undefined && isObject(names) ? names : { kind: "", plural: "" },
    conditions: conditions.map((condition) => keepTransition(condition, listAt(previous, "conditions"), now)),
    storedVersions: [...stored],
  };
}

const ACCEPTED: readonly JsonObject[] = [
  { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" },
  {
    type: "Established",
    status: "True",
    reason: "InitialNamesAccepted",
    message: "the initial names have been accepted",
  },
];

const TERMINATING: JsonObject = {
  type: "Terminating",
  status: "True",
  reason: "InstanceDeletionInProgress",
  message: "CustomResource deletion is in progress",
};

function refusedConditions(conflict: string): readonly JsonObject[] {
  return [
    { type: "NamesAccepted", status: "False", reason: "KindConflict", message: conflict },
    { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" },
  ];
}

function keepTransition(condition: JsonObject, previous: readonly Json[], now: string): JsonObject {
  const before = previous.find((entry) => textAt(entry, "type") === condition["type"]);
  const unchanged = textAt(before, "status") === condition["status"];
  return {
    ...condition,
    lastTransitionTime: unchanged ? (textAt(before, "lastTransitionTime") ?? now) : now,
  };
}
