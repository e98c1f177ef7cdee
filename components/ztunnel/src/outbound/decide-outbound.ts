/**
 * Where a connection that a pod opened goes, and how (reference: protocol §5.1). Pure: connecting merely executes what it
 * returned. The way through the mesh is every client's (`findPath`); what is a node proxy's own is here.
 */

import { guardRefusal } from "@meltemi/authorization";
import {
  findPath,
  isLoopback,
  type Journey,
  type MeshSnapshot,
  type OpenPath,
  type Path,
} from "@meltemi/model";
import { isOwnPort, type ProxyPorts, RECURSIVE_CALL } from "../ports.ts";

export interface OutboundRequest extends Omit<Journey, "hbonePort"> {
  readonly ports: ProxyPorts;
}

/** A decision that can be carried out. */
export type ConnectableDecision = OpenPath;

export type OutboundDecision =
  | Exclude<Path, { readonly kind: "refuse" }>
  | { readonly kind: "refuse"; readonly message: string };

export function decideOutbound(snapshot: MeshSnapshot, request: OutboundRequest): OutboundDecision {
  const { destination, ports } = request;
  if (isLoopback(destination.ip) && isOwnPort(ports, destination.port))
    return { kind: "refuse", message: RECURSIVE_CALL };
  const path = findPath(snapshot, { ...request, hbonePort: ports.inboundHbone });
  const message = guardRefusal(snapshot, request.source, path);
  return message === undefined ? path : { kind: "refuse", message };
}
