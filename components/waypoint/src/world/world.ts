/**
 * All that the control plane told this waypoint, as one immutable value: the mesh, the services that it serves, its settings, and the
 * labels of workloads. A change makes a new one; whoever holds the old one sees nothing of it. Pure.
 */

import {
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_SNAPSHOT,
  type MeshSnapshot,
  PersistentMap,
} from "@meltemi/model";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { addressChanges, policyChanges } from "@meltemi/proxy-process";
import { unreachable } from "@meltemi/runtime";
import type { WaypointXdsUpdate } from "@meltemi/xds";

export interface WaypointWorld {
  readonly snapshot: MeshSnapshot;
  /** By `namespace/hostname`. */
  readonly served: ReadonlyMap<string, ServedService>;
  /** Undefined until the control plane has told them. */
  readonly settings: WaypointSettings | undefined;
  /** By uid. */
  readonly labels: PersistentMap<Labels>;
}

export type Labels = Readonly<Record<string, string>>;

export const EMPTY_WORLD: WaypointWorld = {
  snapshot: EMPTY_SNAPSHOT,
  served: new Map(),
  settings: undefined,
  labels: PersistentMap.empty(),
};

export function applyUpdate(world: WaypointWorld, update: WaypointXdsUpdate): WaypointWorld {
  switch (update.kind) {
    case "address":
      return { ...world, snapshot: applyAddressUpdates(world.snapshot, addressChanges(update)) };
    case "authorization":
      return { ...world, snapshot: applyPolicyUpdates(world.snapshot, policyChanges(update)) };
    case "servedService":
      return { ...world, served: withServed(world.served, update) };
    case "waypointSettings":
      // When the Gateway is gone, this pod soon is: what it was told last holds until then.
      return { ...world, settings: update.upserts.at(-1)?.value ?? world.settings };
    case "workloadLabels":
      return { ...world, labels: withLabels(world.labels, update) };
    default:
      return unreachable(update);
  }
}

function withServed(
  before: WaypointWorld["served"],
  update: Extract<WaypointXdsUpdate, { readonly kind: "servedService" }>,
): WaypointWorld["served"] {
  const served = new Map(before);
  for (const name of update.removedNames) served.delete(name);
  for (const { name, value } of update.upserts) served.set(name, value);
  return served;
}

function withLabels(
  before: WaypointWorld["labels"],
  update: Extract<WaypointXdsUpdate, { readonly kind: "workloadLabels" }>,
): WaypointWorld["labels"] {
  const draft = before.draft();
  for (const name of update.removedNames) draft.delete(name);
  for (const { name, value } of update.upserts) draft.set(name, Object.fromEntries(value.labels));
  return draft.finish();
}
