/** Replacing an object, wholly or in one of its subresources. */
import { trackUpdate } from "../apply/track.ts";
import { clone, isObject, type Json, type JsonObject, sameJson, textAt } from "../json.ts";
import { finalizersOf, isTerminating, type KubeObject, nameOf, uidOf } from "../kube-object.ts";
import { badRequest, conflict, forbiddenField, invalid, notFound } from "../refusal.ts";
import { metadataFaults } from "../resources/names.ts";
import type { Stored } from "../store/object-store.ts";
import { type Bookkeeping, type Cluster, type Outcome, subjectOf, type WriteRequest } from "./context.ts";
import { trackingOf } from "./tracking.ts";
import { applyDefaults, refuseInvalid } from "./validate.ts";

export function storedObject(cluster: Cluster, request: WriteRequest): Stored {
  const name = request.name ?? "";
  const stored = cluster.store.get(request.key, request.namespace ?? "", name);
  if (stored === undefined) throw notFound(subjectOf(request, name));
  return stored;
}

/** Replaces `previous` by `body`, which was decoded and pruned. */
export function updateObject(
  cluster: Cluster,
  request: WriteRequest,
  previous: Stored,
  body: KubeObject,
  bookkeeping: Bookkeeping = "track",
): Outcome {
  checkIdentity(request, previous, body);
  const wanted = merged(request, previous.object, body);
  const { resource } = request.served;
  applyDefaults(request, wanted);
  const changed = cluster.admit(request, wanted, previous.object);
  // Webhooks have a say over the half of the object that is written, as the writer has.
  const next = changed ? merged(request, previous.object, wanted) : wanted;
  const faults = [
    ...metadataFaults(next, resource.rules.checkName),
    ...finalizerFaults(next, previous.object),
  ];
  if (faults.length > 0) throw invalid(resource.group, resource.kind, nameOf(next), faults);
  if (bookkeeping === "track") {
    trackUpdate(trackingOf(request), previous.object, next);
  }
  refuseInvalid(request, next, previous.object);
  countGeneration(request, next, previous.object);
  cluster.confirm(request, next, previous.object);
  return commitUpdate(cluster, request, previous, next);
}

function checkIdentity(request: WriteRequest, previous: Stored, body: KubeObject): void {
  const name = nameOf(body);
  if (name !== "" && name !== previous.name) {
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${previous.name})`,
    );
  }
  const namespace = textAt(body, "metadata", "namespace") ?? "";
  if (namespace !== "" && namespace !== previous.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  const uid = uidOf(body);
  if (uid !== "" && uid !== uidOf(previous.object)) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${uidOf(previous.object)}`;
    throw conflict(subjectOf(request, previous.name), why);
  }
  const revision = textAt(body, "metadata", "resourceVersion") ?? "";
  if (revision !== "" && revision !== String(previous.revision))
    throw conflict(subjectOf(request, previous.name));
}

/** Metadata that never changes after creation, or only through deletion. */
const FIXED_METADATA = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "generateName",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
];

/** The new state: which half of the body counts depends on the subresource. */
function merged(request: WriteRequest, previous: KubeObject, body: KubeObject): KubeObject {
  const { resource, version } = request.served;
  const metadata: JsonObject = clone(body.metadata);
  for (const key of FIXED_METADATA) {
    const value = previous.metadata[key];
    if (value === undefined) delete metadata[key];
    else metadata[key] = clone(value);
  }
  delete metadata["resourceVersion"];
  const separateStatus = version.subresources.includes("status");
  if (request.subresource === "status") {
    // A status writer owns the status; of the rest, built-in kinds take labels and annotations along.
    const kept = resource.custom ? customStatusMetadata(previous, metadata) : metadata;
    return { ...clone(previous), metadata: kept, ...statusOf(body) };
  }
  if (request.subresource === "finalize") {
    const spec = isObject(body["spec"]) ? body["spec"] : {};
    return {
      ...clone(previous),
      metadata,
      spec: {
        ...(isObject(previous["spec"]) ? clone(previous["spec"]) : {}),
        finalizers: spec["finalizers"] ?? [],
      },
    };
  }
  const next: KubeObject = { ...clone(body), metadata };
  if (!separateStatus) return next;
  delete next["status"];
  return { ...next, ...clone(statusOf(previous)) };
}

/** A custom resource's status writer changes nothing of the metadata but the books. */
function customStatusMetadata(previous: KubeObject, brought: JsonObject): JsonObject {
  const kept = clone(previous.metadata);
  const books = brought["managedFields"];
  if (books !== undefined) kept["managedFields"] = books;
  delete kept["resourceVersion"];
  return kept;
}

function statusOf(object: JsonObject): JsonObject {
  const status = object["status"];
  return status === undefined ? {} : { status };
}

function finalizerFaults(next: KubeObject, previous: KubeObject): ReturnType<typeof forbiddenField>[] {
  if (!isTerminating(previous)) return [];
  const before = new Set(finalizersOf(previous));
  const added = finalizersOf(next).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return [];
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
    .map((finalizer) => JSON.stringify(finalizer))
    .join(", ")}}`;
  return [forbiddenField("metadata.finalizers", why)];
}

function countGeneration(request: WriteRequest, next: KubeObject, previous: KubeObject): void {
  const { resource } = request.served;
  if (!resource.rules.countsGenerations || request.subresource === "status") return;
  const before = Number(previous.metadata["generation"] ?? 1);
  const changed = !sameJson(desired(next), desired(previous));
  next.metadata["generation"] = changed ? before + 1 : before;
}

/** Everything that is neither metadata nor status: what somebody wants. */
function desired(object: KubeObject): Json {
  const { metadata: _, status: __, apiVersion: ___, ...rest } = object;
  return rest;
}

/** Stores the new state; or nothing when nothing changed; or removes the object when that was all it waited for. */
export function commitUpdate(
  cluster: Cluster,
  request: WriteRequest,
  previous: Stored,
  next: KubeObject,
): Outcome {
  if (mayGo(next)) {
    if (!request.options.dryRun) {
      cluster.store.commit([{ kind: "remove", resource: request.key, object: next }]);
      cluster.afterCommit(request.key);
    }
    return { code: 200, object: next, removed: true };
  }
  if (sameApartFromBookkeeping(next, previous.object))
    return { code: 200, object: previous.object, removed: false };
  if (request.options.dryRun) {
    const metadata = { ...next.metadata, resourceVersion: String(previous.revision) };
    return { code: 200, object: { ...next, metadata }, removed: false };
  }
  const [stored] = cluster.store.commit([{ kind: "put", resource: request.key, object: next }]);
  cluster.afterCommit(request.key);
  return { code: 200, object: stored?.object ?? next, removed: false };
}

/** A terminating object goes once nobody's finalizer holds it and no grace period runs. */
export function mayGo(object: KubeObject): boolean {
  if (!isTerminating(object) || finalizersOf(object).length > 0) return false;
  if (object["kind"] === "Namespace" && object["apiVersion"] === "v1") {
    const spec = object["spec"];
    return !isObject(spec) || !Array.isArray(spec["finalizers"]) || spec["finalizers"].length === 0;
  }
  return Number(object.metadata["deletionGracePeriodSeconds"] ?? 0) === 0;
}

/** A write that only moves timestamps of managedFields is no change: nobody has to hear of it. */
function sameApartFromBookkeeping(next: KubeObject, previous: KubeObject): boolean {
  return sameJson(comparable(next), comparable(previous));
}

function comparable(object: KubeObject): Json {
  const { resourceVersion: _, managedFields, ...metadata } = object.metadata;
  const managers = Array.isArray(managedFields)
    ? managedFields.map((entry) => (isObject(entry) ? { ...entry, time: "" } : entry))
    : [];
  return { ...object, metadata: { ...metadata, managedFields: managers } };
}
