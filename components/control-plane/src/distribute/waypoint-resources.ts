/**
 * What waypoints are told beside the mesh, encoded once per change. Each waypoint has logs of its own: what is not for it is not
 * there to be sent to it, whatever it asks for.
 */

import {
  createResourceLog,
  encodeResource,
  encodeServedService,
  encodeWaypointSettings,
  encodeWorkloadLabels,
  type ResourceLog,
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  WORKLOAD_LABELS_TYPE_URL,
} from "@meltemi/xds";
import type { ServedAt } from "../compile/l7/served-service.ts";
import type { MeshChanges } from "../compile/mesh-compiler.ts";

export interface WaypointLogs {
  readonly settings: ResourceLog;
  readonly served: ResourceLog;
}

export interface WaypointResources {
  /** Labels of all workloads. */
  readonly labels: ResourceLog;
  /** By `namespace/name` of the Gateway, which need not be there yet. */
  logsOf(waypoint: string): WaypointLogs;
  /** Returns how many resources are different from before. */
  publish(changes: Pick<MeshChanges, "workloadLabels" | "served" | "waypointSettings">): number;
}

/** A waypoint that is further behind starts anew: it has a few thousand services at most. */
const KEPT_CHANGES = 10_000;

export function createWaypointResources(onEncoded: () => void): WaypointResources {
  const labels = createResourceLog(WORKLOAD_LABELS_TYPE_URL);
  /** One entry per Gateway that ever was, or that a waypoint's pod was of. Those that are gone hold nothing. */
  const byWaypoint = new Map<string, WaypointLogs>();
  /** Key of the compiler → where the resource stands. */
  const places = new Map<string, Pick<ServedAt, "waypoint" | "name">>();

  const logsOf = (waypoint: string): WaypointLogs => {
    const known = byWaypoint.get(waypoint);
    if (known !== undefined) return known;
    const made = {
      settings: createResourceLog(WAYPOINT_SETTINGS_TYPE_URL, KEPT_CHANGES),
      served: createResourceLog(SERVED_SERVICE_TYPE_URL, KEPT_CHANGES),
    };
    byWaypoint.set(waypoint, made);
    return made;
  };
  const encode = (typeUrl: string, name: string, value: Uint8Array) => {
    onEncoded();
    return encodeResource({ typeUrl, name, value });
  };
  const publishServed = ({ upserts, removedNames }: MeshChanges["served"]): number => {
    let changed = 0;
    for (const { name: key, value } of upserts) {
      const { waypoint, name, service } = value;
      places.set(key, { waypoint, name });
      const resource = encode(SERVED_SERVICE_TYPE_URL, name, encodeServedService(service));
      changed += logsOf(waypoint).served.apply([resource], []);
    }
    for (const key of removedNames) {
      const place = places.get(key);
      places.delete(key);
      if (place !== undefined) changed += logsOf(place.waypoint).served.apply([], [place.name]);
    }
    return changed;
  };
  const publishSettings = ({ upserts, removedNames }: MeshChanges["waypointSettings"]): number => {
    let changed = 0;
    for (const { name, value } of upserts) {
      const resource = encode(WAYPOINT_SETTINGS_TYPE_URL, name, encodeWaypointSettings(value));
      changed += logsOf(name).settings.apply([resource], []);
    }
    for (const name of removedNames) changed += logsOf(name).settings.apply([], [name]);
    return changed;
  };

  return {
    labels,
    logsOf,
    publish({ workloadLabels, served, waypointSettings }) {
      const changedLabels = labels.apply(
        workloadLabels.upserts.map(({ name, value }) =>
          encode(WORKLOAD_LABELS_TYPE_URL, name, encodeWorkloadLabels(value)),
        ),
        workloadLabels.removedNames,
      );
      return changedLabels + publishServed(served) + publishSettings(waypointSettings);
    },
  };
}
