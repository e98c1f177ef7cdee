/** Which waypoint an object is bound to (reference: l7-and-cli §1.3-1.6, protocol §3.8). */

import type { GatewayAddress } from "@meltemi/model";
import type { NamespaceFacts, WaypointFacts, WaypointRequest } from "./facts.ts";
import { selects } from "./selectors.ts";

const HBONE_PORT = 15008;

export interface WaypointReference {
  readonly namespace: string;
  readonly name: string;
}

export type WaypointBinding =
  | { readonly kind: "none" }
  | { readonly kind: "bound"; readonly address: GatewayAddress; readonly waypoint: WaypointReference }
  | {
      readonly kind: "refused";
      readonly reason: "notReady" | "attachmentDenied" | "unsupportedTraffic";
      readonly waypoint: WaypointReference;
    };

/** The object's own label wins over its namespace's; `none` on either ends the search. */
export function requestedWaypoint(
  request: WaypointRequest,
  namespace: string,
  namespaceFacts: NamespaceFacts | undefined,
): WaypointReference | undefined {
  const own = request.useWaypoint !== undefined ? request : namespaceFacts?.waypoint;
  const name = own?.useWaypoint;
  if (own === undefined || name === undefined || name === "none" || name === "") return undefined;
  return { namespace: own.useWaypointNamespace ?? namespace, name };
}

/** `traffic`: what the object is reached as. A broken reference does not fall back to the namespace's waypoint. */
export function bindWaypoint(
  reference: WaypointReference | undefined,
  waypoint: WaypointFacts | undefined,
  traffic: "service" | "workload",
  namespace: string,
  namespaceFacts: NamespaceFacts | undefined,
  network: string,
): WaypointBinding {
  if (reference === undefined) return { kind: "none" };
  const refused = (reason: "notReady" | "attachmentDenied" | "unsupportedTraffic"): WaypointBinding => ({
    kind: "refused",
    reason,
    waypoint: reference,
  });
  const address = waypoint && waypointAddress(waypoint, network);
  if (waypoint === undefined || address === undefined) return refused("notReady");
  if (!allows(waypoint, namespace, namespaceFacts)) return refused("attachmentDenied");
  if (waypoint.trafficType !== "all" && waypoint.trafficType !== traffic)
    return refused("unsupportedTraffic");
  return { kind: "bound", address, waypoint: reference };
}

function allows(
  waypoint: WaypointFacts,
  namespace: string,
  namespaceFacts: NamespaceFacts | undefined,
): boolean {
  switch (waypoint.allowedNamespaces.kind) {
    case "all":
      return true;
    case "same":
      return waypoint.namespace === namespace;
    case "selector":
      return selects(waypoint.allowedNamespaces.matchLabels, namespaceFacts?.labels ?? {});
    default:
      return false;
  }
}

/** By name where the Gateway has one, else by its first address; undefined while it has none: it was never ready. */
function waypointAddress(waypoint: WaypointFacts, network: string): GatewayAddress | undefined {
  const hostname = waypoint.addresses.find((address) => address.kind === "hostname");
  if (hostname !== undefined) {
    const { namespace } = waypoint;
    return {
      destination: { kind: "hostname", namespace, hostname: hostname.hostname },
      hbonePort: HBONE_PORT,
    };
  }
  const address = waypoint.addresses.find(({ kind }) => kind === "ip");
  if (address?.kind !== "ip") return undefined;
  return { destination: { kind: "address", network, ip: address.ip }, hbonePort: HBONE_PORT };
}
