/** Defaults and validation of a write: a kind's own rules, or the schema of its CRD. */
import { customFaults } from "../custom/custom-validation.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type KubeObject, nameOf } from "../kube-object.ts";
import { invalid } from "../refusal.ts";
import { fillDefaults } from "../schema/defaults.ts";
import type { WriteRequest } from "./context.ts";

/** Fills in what the writer left out, in place. */
export function applyDefaults(request: WriteRequest, object: KubeObject): void {
  const { resource, version } = request.served;
  if (resource.custom) {
    const defaulted = fillDefaults(version.schema, withoutServerFields(object));
    if (isObject(defaulted)) Object.assign(object, defaulted);
  } else if (request.subresource !== "status") resource.rules.applyDefaults?.(object);
}

/** @throws Refusal 422 with one cause per fault */
export function refuseInvalid(
  request: WriteRequest,
  object: KubeObject,
  previous: KubeObject | undefined,
): void {
  const { resource, version } = request.served;
  const faults = resource.custom
    ? customFaults(version.schema, object, previous)
    : (resource.rules.validate?.(object, previous) ?? []);
  if (faults.length > 0) throw invalid(resource.group, resource.kind, nameOf(object), faults);
}

/** A CRD's schema has no say over what every object shares. */
function withoutServerFields(object: KubeObject): JsonObject {
  const { metadata: _, apiVersion: __, kind: ___, ...rest } = object;
  return rest;
}
