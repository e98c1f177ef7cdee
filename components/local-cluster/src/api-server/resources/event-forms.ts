/** Events are one kind in two groups: stored as core/v1, spoken as events.k8s.io/v1 where that was asked for. */
import { isObject, type JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { StorageForm } from "./resource.ts";

/** events.k8s.io/v1 → core/v1; fields of the same name and place are not listed. */
const NAMES: readonly (readonly [newer: string, core: string])[] = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

export const EVENT_FORM: StorageForm = {
  key: "/events",
  toStored: (event) => renamed(event, "v1", new Map(NAMES)),
  fromStored: (event) =>
    renamed(event, "events.k8s.io/v1", new Map(NAMES.map(([newer, core]) => [core, newer]))),
};

function renamed(event: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(event)) result[names.get(key) ?? key] = value;
  const metadata = isObject(result["metadata"]) ? result["metadata"] : {};
  return { ...result, apiVersion, metadata };
}
