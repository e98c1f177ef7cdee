/** Validation of Leases, on whose times elections stand. */
import { at, type Json, numberAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, invalidValue } from "../refusal.ts";

/** Kubernetes reads a MicroTime with exactly six digits of a second, and nothing else. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$/;

export function leaseFaults(lease: KubeObject): readonly Cause[] {
  const spec = lease["spec"] ?? {};
  const causes: Cause[] = [];
  const seconds = numberAt(spec, "leaseDurationSeconds");
  if (seconds !== undefined && seconds <= 0)
    causes.push(invalidValue("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  const transitions = numberAt(spec, "leaseTransitions");
  if (transitions !== undefined && transitions < 0)
    causes.push(invalidValue("spec.leaseTransitions", transitions, "must be greater than or equal to 0"));
  return [...causes, ...timeFaults(spec, "acquireTime"), ...timeFaults(spec, "renewTime")];
}

function timeFaults(spec: Json, key: string): readonly Cause[] {
  const value = at(spec, key);
  if (value === undefined || (typeof value === "string" && MICRO_TIME.test(value))) return [];
  return [invalidValue(`spec.${key}`, value, "must be a time such as 2006-01-02T15:04:05.000000Z")];
}
