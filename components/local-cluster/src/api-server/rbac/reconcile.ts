/** Default roles and bindings that somebody changed, or an older release made: what is missing of them is put back at every start. Pure. */
import { clone, type Json, listAt, sameJson, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { ruleJson, rulesOf, uncovered } from "./policy-rule.ts";

export const AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate";

/** The object with what it lacks; undefined when it lacks nothing, or when its annotation says to leave it alone. */
export function reconciled(existing: KubeObject, wanted: Json): KubeObject | undefined {
  if (textAt(existing, "metadata", "annotations", AUTOUPDATE) !== "true") return undefined;
  const missingRules = uncovered(rulesOf(existing), rulesOf(wanted)).map(ruleJson);
  const known = listAt(existing, "subjects");
  const missingSubjects = listAt(wanted, "subjects").filter(
    (subject) => !known.some((one) => sameJson(one, subject)),
  );
  if (missingRules.length === 0 && missingSubjects.length === 0) return undefined;
  const next = clone(existing);
  if (missingRules.length > 0) next["rules"] = [...listAt(existing, "rules"), ...missingRules];
  if (missingSubjects.length > 0) next["subjects"] = [...known, ...clone(missingSubjects)];
  return next;
}
