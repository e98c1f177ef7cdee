/** The scale subresource (autoscaling/v1 Scale): replicas of anything that has some. */
import { hearSubresource } from "../admission/hear.ts";
import type { KindName } from "../admission/match.ts";
import { at, clone, isObject, type Json, type JsonObject, numberAt, setKey, textAt } from "../json.ts";
import { type KubeObject, nameOf, namespaceOf, uidOf } from "../kube-object.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { badRequest, invalid, invalidValue, noSuchPath } from "../refusal.ts";
import { selectorText } from "../resources/columns.ts";
import type { ScalePaths } from "../resources/resource.ts";
import type { Stored } from "../store/object-store.ts";
import type { Cluster, WriteRequest } from "./context.ts";
import { storedObject, updateObject } from "./update.ts";

function pathsOf(request: WriteRequest): ScalePaths {
  const { scale } = request.served.version;
  if (scale === undefined) throw noSuchPath();
  return scale;
}

export function readScale(request: WriteRequest, stored: Pick<Stored, "object">): JsonObject {
  const paths = pathsOf(request);
  const { object } = stored;
  const selector = paths.selector === undefined ? undefined : at(object, ...paths.selector);
  const text = typeof selector === "string" ? selector : selectorText(selector);
  const { metadata } = object;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name: nameOf(object),
      ...(namespaceOf(object) === "" ? {} : { namespace: namespaceOf(object) }),
      uid: uidOf(object),
      resourceVersion: metadata["resourceVersion"] ?? "",
      creationTimestamp: metadata["creationTimestamp"] ?? "",
    },
    spec: { replicas: numberAt(object, ...paths.specReplicas) ?? 0 },
    status: {
      replicas: numberAt(object, ...paths.statusReplicas) ?? 0,
      ...(text === "<none>" ? {} : { selector: text }),
    },
  };
}

const SCALE: KindName = { group: "autoscaling", version: "v1", kind: "Scale" };

export function replaceScale(cluster: Cluster, request: WriteRequest, asked: Json): JsonObject {
  const stored = storedObject(cluster, request);
  const body = hearSubresource(request, SCALE, "UPDATE", asked, readScale(request, stored));
  const replicas = at(body, "spec", "replicas") ?? 0;
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
    throw invalid("autoscaling", "Scale", stored.name, [
      invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const next = clone(stored.object);
  const revision = textAt(body, "metadata", "resourceVersion");
  if (revision === undefined || revision === "") delete next.metadata["resourceVersion"];
  else next.metadata["resourceVersion"] = revision;
  setAt(next, pathsOf(request).specReplicas, replicas);
  const { hearing: _, ...heard } = request;
  const outcome = updateObject(cluster, { ...heard, subresource: undefined }, stored, next);
  return readScale(request, outcome);
}

export function patchScale(cluster: Cluster, request: WriteRequest, type: string, patch: Json): JsonObject {
  const current = readScale(request, storedObject(cluster, request));
  const result =
    type === "application/json-patch+json" ? jsonPatch(current, patch) : mergePatch(current, patch);
  if (!isObject(result)) throw badRequest("patch of a Scale: the result is no object");
  return replaceScale(cluster, request, result);
}

function setAt(object: KubeObject, path: readonly string[], value: Json): void {
  let current: JsonObject = object;
  for (const step of path.slice(0, -1)) {
    const next = current[step];
    if (isObject(next)) current = next;
    else {
      const made: JsonObject = {};
      setKey(current, step, made);
      current = made;
    }
  }
  const last = path.at(-1);
  if (last !== undefined) setKey(current, last, value);
}
