/** This waypoint among the workloads of the mesh. Pure. */

import {
  findLocalWorkload,
  type GatewayAddress,
  type Identity,
  isInstanceOf,
  newWorkload,
  type Workload,
  type WorkloadName,
} from "@meltemi/model";
import type { WaypointWorld } from "./world.ts";

export interface Self {
  readonly pod: WorkloadName;
  readonly identity: Identity;
  readonly place: { readonly node: string; readonly network: string; readonly clusterId: string };
}

/** As the mesh describes it; until it does, what the pod knows of itself. */
export function selfWorkload(world: WaypointWorld, self: Self): Workload {
  const { pod, place, identity } = self;
  return (
    findLocalWorkload(world.snapshot, pod, place) ??
    newWorkload({ uid: "", ...pod, ...place, trustDomain: identity.trustDomain })
  );
}

/** Whether the reference means this waypoint, or another replica of it. */
export function isSelf(world: WaypointWorld, self: Self, reference: GatewayAddress | undefined): boolean {
  return reference !== undefined && isInstanceOf(world.snapshot, reference, selfWorkload(world, self));
}

/** Whether clients are told to come here: a healthy endpoint of some service, which can only be that of the waypoint. */
export function isSelfListed(world: WaypointWorld, self: Self): boolean {
  const workload = findLocalWorkload(world.snapshot, self.pod, self.place);
  return workload !== undefined && workload.status === "healthy" && workload.services.size > 0;
}
