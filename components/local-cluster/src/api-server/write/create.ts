/** Creating an object. */

import { timestamp } from "../../timestamp.ts";
import { trackUpdate } from "../apply/track.ts";
import { clone, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { alreadyExists, badRequest, invalid } from "../refusal.ts";
import { metadataFaults } from "../resources/names.ts";
import { type Bookkeeping, type Cluster, type Outcome, subjectOf, type WriteRequest } from "./context.ts";
import { trackingOf } from "./tracking.ts";
import { applyDefaults, refuseInvalid } from "./validate.ts";

/** What the server itself writes; whatever a client sends here is dropped. */
const SERVER_FIELDS = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "selfLink",
];

/** Suffixes are random; a clash this often in a row means the namespace is full of them. */
const MAX_NAME_TRIES = 8;

export function createObject(
  cluster: Cluster,
  request: WriteRequest,
  body: KubeObject,
  bookkeeping: Bookkeeping = "track",
): Outcome {
  const { resource } = request.served;
  const object = clone(body);
  const { metadata } = object;
  if ((textAt(metadata, "resourceVersion") ?? "") !== "") {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  for (const key of [...SERVER_FIELDS, "resourceVersion"]) delete metadata[key];
  placeInNamespace(request, object);
  nameObject(cluster, request, object);
  const name = textAt(metadata, "name") ?? "";
  if (request.name !== undefined && request.name !== name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${request.name})`);
  }
  if (name !== "" && cluster.store.get(request.key, request.namespace ?? "", name) !== undefined) {
    throw alreadyExists(subjectOf(request, name));
  }
  metadata["uid"] = chooseOnce(request, "uid", cluster.newUid);
  metadata["creationTimestamp"] = timestamp(request.nowMs);
  metadata["generation"] = 1;
  if (!resource.rules.countsGenerations) delete metadata["generation"];
  prepareStatus(request, object);
  applyDefaults(request, object);
  // Webhooks have no more say over the status than the writer.
  if (cluster.admit(request, object, undefined)) prepareStatus(request, object);
  const faults = metadataFaults(object, resource.rules.checkName);
  if (faults.length > 0) throw invalid(resource.group, resource.kind, name, faults);
  if (bookkeeping === "track") {
    delete object.metadata["managedFields"];
    trackUpdate(trackingOf(request), undefined, object);
  }
  refuseInvalid(request, object, undefined);
  cluster.confirm(request, object, undefined);
  if (request.options.dryRun) return { code: 201, object, removed: false };
  const [stored] = cluster.store.commit([{ kind: "put", resource: request.key, object }]);
  cluster.afterCommit(request.key);
  return { code: 201, object: stored?.object ?? object, removed: false };
}

function placeInNamespace(request: WriteRequest, object: KubeObject): void {
  const { resource } = request.served;
  if (!resource.namespaced) {
    delete object.metadata["namespace"];
    return;
  }
  if (request.namespace === undefined) throw badRequest("an empty namespace may not be set during creation");
  const own = textAt(object.metadata, "namespace") ?? "";
  if (own !== "" && own !== request.namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${own} is not ${request.namespace})`,
    );
  }
  object.metadata["namespace"] = request.namespace;
}

/** The longest prefix of `generateName` that leaves room for the suffix. */
const MAX_GENERATED_PREFIX = 58;

function nameObject(cluster: Cluster, request: WriteRequest, object: KubeObject): void {
  const prefix = textAt(object.metadata, "generateName") ?? "";
  if ((textAt(object.metadata, "name") ?? "") !== "" || prefix === "") return;
  for (let attempt = 0; attempt < MAX_NAME_TRIES; attempt++) {
    const name = `${prefix.slice(0, MAX_GENERATED_PREFIX)}${chooseOnce(request, `suffix ${attempt}`, cluster.randomName)}`;
    object.metadata["name"] = name;
    if (cluster.store.get(request.key, request.namespace ?? "", name) === undefined) return;
  }
}

function chooseOnce({ hearing }: WriteRequest, what: string, choose: () => string): string {
  return hearing === undefined ? choose() : hearing.remember(what, choose);
}

function prepareStatus(request: WriteRequest, object: KubeObject): void {
  const { resource, version } = request.served;
  const { rules } = resource;
  if (!version.subresources.includes("status") || rules.keepsStatusOnCreate === true) return;
  const status = rules.initialStatus?.(object);
  if (status === undefined) delete object["status"];
  else object["status"] = status;
}
