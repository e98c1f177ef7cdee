/** Patching: the patch is worked out against the stored object, and the result goes the way of an update. */
import { clone, isObject, type Json, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicPatch } from "../patch/strategic-patch.ts";
import { badRequest, invalid, Refusal, required } from "../refusal.ts";
import { inVersion } from "../render.ts";
import { applyObject } from "./apply.ts";
import { type Cluster, type Outcome, subjectOf, type WriteRequest } from "./context.ts";
import { toStorage } from "./decode.ts";
import { storedObject, updateObject } from "./update.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";

/** What is known before the body is read. @throws Refusal 415, 422 */
export function refusePatch(request: WriteRequest, type: string, query: URLSearchParams): void {
  const known = [
    JSON_PATCH,
    MERGE_PATCH,
    ...(request.served.resource.custom ? [] : [STRATEGIC_PATCH]),
    APPLY_PATCH,
  ];
  if (!known.includes(type)) throw new Refusal(415, "UnsupportedMediaType", unsupportedType(type, known));
  // Whoever applies owns what they apply: a name made up of the user agent would own it together with others.
  if (type === APPLY_PATCH && (query.get("fieldManager") ?? "") === "")
    throw invalid("meta.k8s.io", "PatchOptions", "", [
      required("fieldManager", "is required for apply patch"),
    ]);
}

export function patchObject(cluster: Cluster, request: WriteRequest, type: string, patch: Json): Outcome {
  if (type === APPLY_PATCH) return applyObject(cluster, request, patch);
  const previous = storedObject(cluster, request);
  const current = inVersion(request.served, previous.object);
  const result = applyPatch(request, type, current, patch);
  if (!isObject(result) || !isObject(result["metadata"]))
    throw badRequest("patch: the result is no Kubernetes object");
  const patched = toStorage(request, result);
  refuseRename(request, previous.name, patched);
  return updateObject(cluster, request, previous, patched);
}

function applyPatch(request: WriteRequest, type: string, current: KubeObject, patch: Json): Json {
  switch (type) {
    case JSON_PATCH:
      return jsonPatch(current, patch);
    case MERGE_PATCH:
      return clone(mergePatch(current, patch));
    case STRATEGIC_PATCH:
      if (request.served.resource.custom) {
        throw new Refusal(
          415,
          "UnsupportedMediaType",
          unsupportedType(type, [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]),
        );
      }
      return clone(strategicPatch(request.served.version.schema, current, patch));
    default:
      throw new Refusal(
        415,
        "UnsupportedMediaType",
        unsupportedType(type, [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH]),
      );
  }
}

function unsupportedType(type: string, accepted: readonly string[]): string {
  return `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}; got ${JSON.stringify(type)}`;
}

function refuseRename(request: WriteRequest, name: string, patched: KubeObject): void {
  const { resource } = request.served;
  if (textAt(patched, "metadata", "name") !== name) {
    throw badRequest(
      `patch ${subjectOf(request, name).resource} ${JSON.stringify(name)}: metadata.name cannot be changed`,
    );
  }
  if (textAt(patched, "kind") !== resource.kind) throw badRequest(`patch: kind cannot be changed`);
}
