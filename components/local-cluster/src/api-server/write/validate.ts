/** Refusing an object that its kind's rules, or its CRD's schema, find faults in. */
import type { KubeObject } from "../kube-object.ts";
import { nameOf } from "../kube-object.ts";
import { invalid } from "../refusal.ts";
import type { WriteRequest } from "./context.ts";

/** @throws Refusal 422 with one cause per fault */
export function refuseInvalid(
  request: WriteRequest,
  object: KubeObject,
  previous: KubeObject | undefined,
): void {
  const { resource } = request.served;
  const faults = resource.rules.validate?.(object, previous) ?? [];
  if (faults.length > 0) throw invalid(resource.group, resource.kind, nameOf(object), faults);
}
