/**
 * A service that is bound here no more is served on for a moment: whoever still comes learns of its new way at the same time as we do,
 * and may be on its way already. What the service had of policies holds until then.
 */

import type { Clock, Timer } from "@meltemi/runtime";
import type { WaypointXdsUpdate } from "@meltemi/xds";

/** Gives on every update, but removals of served services only after `lingerMs`, and not when the service came back by then. */
export function lingering(
  lingerMs: number,
  apply: (update: WaypointXdsUpdate) => void,
  deps: { readonly clock: Clock },
): (update: WaypointXdsUpdate) => void {
  const leaving = new Map<string, Timer>();
  const stay = (name: string): void => {
    leaving.get(name)?.cancel();
    leaving.delete(name);
  };
  const leave = (name: string): void => {
    stay(name);
    const timer = deps.clock.after(lingerMs, () => {
      leaving.delete(name);
      apply({ kind: "servedService", upserts: [], removedNames: [name] });
    });
    leaving.set(name, timer);
  };
  return (update) => {
    if (update.kind !== "servedService") return apply(update);
    for (const name of update.removedNames) leave(name);
    for (const { name } of update.upserts) stay(name);
    if (update.upserts.length > 0) apply({ ...update, removedNames: [] });
  };
}
