/** The page of labels, annotations and conditions. */

import { code, page, table } from "./markdown.ts";
import { ENROLMENT, type Name, POLICIES, WAYPOINTS } from "./names.ts";
import { CONDITIONS, WRITTEN } from "./written-names.ts";

export function labelsPage(): string {
  return page(
    "Labels, annotations and conditions",
    "`tools/reference/names.ts`, which a test holds equal to the sources",
    "A label unless it says annotation. Names under `meltemi.io` are ours; all others are Istio's and mean what they mean there.",
    section("Joining the mesh", "who reads it", ENROLMENT),
    section("Waypoints", "who reads it", WAYPOINTS),
    section("Policies and the rest", "who reads it", POLICIES),
    section("Written by the mesh", "who writes it", WRITTEN),
    section("Conditions", "who writes it", CONDITIONS),
    "Other conditions have their kind's names: `Accepted`, `Programmed`, `ResolvedRefs` and `ResolvedWaypoints` of the Gateway API; `ZtunnelAccepted` and `WaypointAccepted` of policies.",
  );
}

function section(title: string, who: string, names: readonly Name[]): string {
  const rows = names.map((each) => [code(each.name), each.on, each.values, each.who, each.about]);
  return `## ${title}\n\n${table(["name", "on", "values", who, "meaning"], rows)}`;
}
