/** `pods/eviction` and `pods/binding`. */

import { timestamp } from "../../timestamp.ts";
import { hearSubresource } from "../admission/hear.ts";
import type { KindName } from "../admission/match.ts";
import { at, clone, isObject, type Json, type JsonObject, textAt } from "../json.ts";
import { badRequest, conflict } from "../refusal.ts";
import { BUDGETS, takeDisruption } from "../resources/disruption-budgets.ts";
import { type Cluster, subjectOf, type WriteRequest } from "./context.ts";
import { deleteObject, parseDeleteOptions } from "./remove.ts";
import { commitUpdate, storedObject } from "./update.ts";

const SUCCESS: JsonObject = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

const EVICTION: KindName = { group: "policy", version: "v1", kind: "Eviction" };
const BINDING: KindName = { group: "", version: "v1", kind: "Binding" };

/** Deletes the pod unless a PodDisruptionBudget that covers it allows no disruption now. @throws Refusal 429 */
export function evictPod(cluster: Cluster, request: WriteRequest, body: Json): JsonObject {
  const stored = storedObject(cluster, request);
  hearSubresource(request, EVICTION, "CREATE", body, undefined);
  const options = parseDeleteOptions(at(body, "deleteOptions"), new URLSearchParams());
  const dryRun = options.dryRun || request.options.dryRun;
  const budget = takeDisruption(cluster, stored, request.nowMs);
  deleteObject(cluster, request, stored, { ...options, dryRun });
  if (budget !== undefined && !dryRun)
    cluster.store.commit([{ kind: "put", resource: BUDGETS, object: budget }]);
  return SUCCESS;
}

/** Puts a pod on a node, once. @throws Refusal 409 when it has one */
export function bindPod(cluster: Cluster, request: WriteRequest, asked: Json): JsonObject {
  const stored = storedObject(cluster, request);
  const body = hearSubresource(request, BINDING, "CREATE", asked, undefined);
  const node = textAt(body, "target", "name") ?? "";
  if (node === "") throw badRequest("binding: target.name: expected the name of a node");
  const current = textAt(stored.object, "spec", "nodeName") ?? "";
  if (current !== "") {
    throw conflict(
      subjectOf(request, stored.name),
      `pod ${stored.name} is already assigned to node ${JSON.stringify(current)}`,
    );
  }
  const next = clone(stored.object);
  const spec = isObject(next["spec"]) ? next["spec"] : {};
  next["spec"] = { ...spec, nodeName: node };
  const conditions = at(next, "status", "conditions");
  const others = Array.isArray(conditions)
    ? conditions.filter((condition) => textAt(condition, "type") !== "PodScheduled")
    : [];
  const scheduled = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: timestamp(request.nowMs),
  };
  next["status"] = {
    ...(isObject(next["status"]) ? next["status"] : {}),
    conditions: [...others, scheduled],
  };
  delete next.metadata["resourceVersion"];
  commitUpdate(cluster, request, stored, next);
  return SUCCESS;
}
