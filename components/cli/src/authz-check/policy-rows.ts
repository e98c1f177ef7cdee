/** Policies that a proxy has, as `experimental authz check` lists them: with the number of their rules. Pure. */

import { type Json, listAt, objectsAt, textAt } from "../output/json.ts";
import { renderTable } from "../output/table.ts";
import { type EntryFilter, policiesOf } from "../ztunnel-config/entries.ts";

interface PolicyRow {
  readonly action: string;
  readonly policy: string;
  readonly rules: number;
}

/** `workload` undefined: all that the proxy has. */
export function policyRows(dump: Json, workload: EntryFilter["workload"]): readonly PolicyRow[] {
  // A waypoint judges by what is attached to services; what it knows of ztunnels' policies it does not enforce.
  if (Object.hasOwn(dump, "servedServices"))
    return objectsAt(dump, "servedServices").flatMap((service) =>
      objectsAt(service, "policies").map((policy) => rowOf(policy, ` (${textAt(service, "hostname")})`)),
    );
  return policiesOf(dump, { workload }).map((policy) => rowOf(policy, ""));
}

function rowOf(policy: Json, where: string): PolicyRow {
  const word = policy["action"];
  const action = typeof word === "string" ? word.toUpperCase() : "CUSTOM";
  return {
    action: textAt(policy, "dryRun") === "true" ? `${action} (dry run)` : action,
    policy: `${textAt(policy, "name")}.${textAt(policy, "namespace")}${where}`,
    rules: listAt(policy, "rules").length,
  };
}

const ORDER = ["CUSTOM", "DENY", "ALLOW", "AUDIT"];

/** In the order in which they are asked. */
export function renderPolicyRows(rows: readonly PolicyRow[]): readonly string[] {
  const rank = ({ action }: PolicyRow): number => ORDER.indexOf(action.split(" ")[0] ?? "");
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b));
  return renderTable(
    ["ACTION", "AuthorizationPolicy", "RULES"],
    sorted.map(({ action, policy, rules }) => [action, policy, String(rules)]),
  );
}
