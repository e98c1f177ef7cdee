/** Server-side apply as a request: `PATCH` with `application/apply-patch+yaml`. Creates what is not there. */

import { timestamp } from "../../timestamp.ts";
import { type Applied, applyConfiguration } from "../apply/server-side-apply.ts";
import { halfOf } from "../apply/track.ts";
import { type ResourceAttempt, refuseUnless } from "../identity/attempt.ts";
import { clone, isObject, type Json, type JsonObject, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { badRequest, conflict, notFound, Refusal } from "../refusal.ts";
import type { Stored } from "../store/object-store.ts";
import { type Cluster, managerOf, type Outcome, subjectOf, type WriteRequest } from "./context.ts";
import { createObject } from "./create.ts";
import { decodeObject, wholeSchema } from "./decode.ts";
import { updateObject } from "./update.ts";

export function applyObject(cluster: Cluster, request: WriteRequest, body: Json): Outcome {
  const name = request.name ?? "";
  const applied = decodeApplied(request, body);
  const live = cluster.store.get(request.key, request.namespace ?? "", name);
  if (live === undefined && request.subresource !== undefined) throw notFound(subjectOf(request, name));
  const revision = textAt(body, "metadata", "resourceVersion") ?? "";
  if (revision !== "" && revision !== String(live?.revision ?? 0)) throw conflict(subjectOf(request, name));
  const result = applyConfiguration({
    schema: wholeSchema(request.served),
    live: live?.object,
    applied,
    manager: managerOf(request, "Apply"),
    half: halfOf(request.served.version.subresources.includes("status"), request.subresource),
    force: request.options.force,
    now: timestamp(request.nowMs),
  });
  return carryOut(cluster, request, live, result);
}

function carryOut(
  cluster: Cluster,
  request: WriteRequest,
  live: Stored | undefined,
  result: Applied,
): Outcome {
  if (result.kind === "conflict") throw applyConflict(result);
  if (live !== undefined) return updateObject(cluster, request, live, result.object, "kept");
  refuseUnless(cluster.authorize, creationOf(request));
  return createObject(cluster, request, result.object, "kept");
}

/** Who may patch may not yet create. */
function creationOf({ user, served, namespace, name }: WriteRequest): ResourceAttempt {
  const { group, plural } = served.resource;
  return {
    kind: "resource",
    user,
    verb: "create",
    group,
    resource: plural,
    subresource: "",
    namespace: namespace ?? "",
    name: name ?? "",
  };
}

function decodeApplied(request: WriteRequest, body: Json): KubeObject {
  if (!isObject(body) || textAt(body, "apiVersion") === undefined || textAt(body, "kind") === undefined) {
    throw badRequest("server-side apply: expected an object with apiVersion and kind");
  }
  const own = textAt(body, "metadata", "name") ?? request.name;
  if (own !== request.name) {
    throw badRequest(`the name of the object (${own}) does not match the name on the URL (${request.name})`);
  }
  if (isObject(body["metadata"]) && Array.isArray(body["metadata"]["managedFields"])) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const applied = clone(decodeObject(request, body));
  applied.metadata["name"] = request.name ?? "";
  if (request.namespace !== undefined) applied.metadata["namespace"] = request.namespace;
  for (const key of ["resourceVersion", "uid", "creationTimestamp", "generation"])
    delete applied.metadata[key];
  return withoutForeignHalf(request, applied);
}

/** The status is applied through its subresource, and nothing else is. */
function withoutForeignHalf(request: WriteRequest, applied: KubeObject): KubeObject {
  if (!request.served.version.subresources.includes("status")) return applied;
  if (request.subresource !== "status") {
    delete applied["status"];
    return applied;
  }
  const half: JsonObject = { apiVersion: applied["apiVersion"] ?? "", kind: applied["kind"] ?? "" };
  return {
    ...half,
    metadata: applied.metadata,
    ...(applied["status"] === undefined ? {} : { status: applied["status"] }),
  };
}

function applyConflict(result: Extract<Applied, { kind: "conflict" }>): Refusal {
  const { causes } = result;
  return new Refusal(409, "Conflict", conflictMessage(causes), {
    causes: causes.map((cause) => ({ reason: cause.reason, message: cause.message, field: cause.field })),
  });
}

/** In Kubernetes' words: a manager's fields are told together. */
function conflictMessage(causes: readonly { readonly message: string; readonly field: string }[]): string {
  const [only] = causes;
  if (causes.length === 1 && only !== undefined)
    return `Apply failed with 1 conflict: ${only.message}: ${only.field}`;
  const managers = [...new Set(causes.map(({ message }) => message))].sort();
  const told = managers.map((message) => {
    const fields = causes.filter((cause) => cause.message === message).map(({ field }) => `- ${field}`);
    return [`${message.replace(/^conflict /, "conflicts ")}:`, ...fields].join("\n");
  });
  return `Apply failed with ${causes.length} conflicts: ${told.join("\n")}`;
}
