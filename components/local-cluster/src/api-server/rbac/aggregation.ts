/** ClusterRoles with an aggregation rule: their rules are those of the ClusterRoles that its selectors choose. */
import { at, clone, isObject, type Json, listAt, sameJson, textMapAt } from "../json.ts";
import { isTerminating } from "../kube-object.ts";
import { selectorMatches } from "../resources/label-selector.ts";
import type { ObjectStore, Stored } from "../store/object-store.ts";
import { CLUSTER_ROLES } from "./authorizer.ts";

/** The rules that an aggregated role is to have; undefined for a role that aggregates nothing. Pure. */
export function aggregatedRules(role: Stored, all: readonly Stored[]): readonly Json[] | undefined {
  const selectors = at(role.object, "aggregationRule", "clusterRoleSelectors");
  if (!Array.isArray(selectors)) return undefined;
  const rules: Json[] = [];
  for (const other of all) {
    if (other.name === role.name) continue;
    const labels = textMapAt(other.object, "metadata", "labels");
    if (!selectors.some((selector) => isObject(selector) && selectorMatches(selector, labels))) continue;
    for (const rule of listAt(other.object, "rules"))
      if (!rules.some((known) => sameJson(known, rule))) rules.push(rule);
  }
  return rules;
}

/** Roles that aggregate roles that aggregate: as deep as `admin` over `edit` over `view`, and some more. Rings end here too. */
const MAX_ROUNDS = 8;

/** Brings every aggregated ClusterRole in line, until nothing changes. */
export function aggregateClusterRoles(store: Pick<ObjectStore, "list" | "commit">): void {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const all = store.list(CLUSTER_ROLES);
    const changed = all.flatMap((role) => {
      if (isTerminating(role.object)) return [];
      const rules = aggregatedRules(role, all);
      if (rules === undefined || sameJson([...rules], listAt(role.object, "rules"))) return [];
      return [{ ...clone(role.object), rules: clone([...rules]) }];
    });
    if (changed.length === 0) return;
    store.commit(changed.map((object) => ({ kind: "put", resource: CLUSTER_ROLES, object })));
  }
}
