/**
 * How an endpoint is reached (reference: l7-and-cli §1.10 item 7; protocol §1.10, §5.1). Pure; the dialler does what it says. An
 * endpoint of the mesh is reached as every client reaches it; what a waypoint knows beside are addresses that the mesh does not.
 */

import {
  findWorkloadByAddress,
  type Ip,
  type NamespacedHostname,
  type OpenPath,
  reachEndpoint,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import { type Self, selfWorkload } from "../world/self.ts";
import type { WaypointWorld } from "../world/world.ts";

export interface ReachRequest {
  /** Undefined: by the workload's host name. */
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly workload: Workload | undefined;
  /** Of the cluster; networks beyond gateways are reached by it. */
  readonly service: NamespacedHostname;
  readonly servicePort: number;
  /** Port of the tunnels' listeners at endpoints. */
  readonly hbonePort: number;
  /** What the host name was resolved to; undefined: it was not, yet. */
  readonly resolved?: readonly Ip[];
}

export type Reach =
  | { readonly kind: "open"; readonly path: OpenPath }
  /** Resolve the name, then decide again for each of its addresses. */
  | { readonly kind: "hostname"; readonly hostname: string }
  | { readonly kind: "unreachable"; readonly detail: string };

export function decideReach(
  world: WaypointWorld,
  self: Self,
  request: ReachRequest,
  random: () => number,
): Reach {
  const { ip, port, resolved } = request;
  const { snapshot } = world;
  // A cluster of addresses (passthrough) may name one that the mesh knows.
  const workload =
    request.workload ??
    (ip === undefined ? undefined : findWorkloadByAddress(snapshot, self.place.network, ip));
  if (workload === undefined) return unknownEndpoint(request);
  const path = reachEndpoint(
    snapshot,
    {
      source: selfWorkload(world, self),
      hbonePort: request.hbonePort,
      draws: { waypoint: 0, endpoint: random() },
      resolved: () => resolved,
    },
    {
      workload,
      port,
      service: snapshot.services.get(serviceKey(request.service)),
      requestedPort: request.servicePort,
      wanted: ip,
    },
  );
  if (path.kind === "refuse") return { kind: "unreachable", detail: path.message };
  return path.kind === "resolve" ? { kind: "hostname", hostname: path.hostname } : { kind: "open", path };
}

function unknownEndpoint({ ip, port }: ReachRequest): Reach {
  if (ip === undefined)
    return { kind: "unreachable", detail: "endpoint has neither an address nor a host name" };
  const target = { workload: undefined, service: undefined };
  return { kind: "open", path: { kind: "passthrough", address: { ip, port }, target } };
}
