/** Matches on who sent the request. Istio compares these with the waypoint itself; here they mean the caller (reference: l7-and-cli §9 item 10). */

import type { SourceMatch } from "@meltemi/model/l7";
import type { Caller } from "../request-context.ts";

/** Nobody who is not verified matches anything: an address or a header can be anyone's. */
export function sourceMatches(match: SourceMatch, caller: Caller): boolean {
  if (caller.identity === undefined) return false;
  if (match.namespace !== undefined && caller.identity.namespace !== match.namespace) return false;
  const wanted = match.labels;
  if (wanted === undefined) return true;
  for (const name in wanted)
    if (!Object.hasOwn(caller.labels, name) || caller.labels[name] !== wanted[name]) return false;
  return true;
}
