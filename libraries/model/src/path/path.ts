/** Ways to a destination, as decided; whoever asked executes one and chooses nothing more. */

import type { Ip, SocketAddress } from "../address.ts";
import type { Identity } from "../identity.ts";
import type { Service, Workload } from "../workload.ts";

/** Who connects, and all that chance and the outer world contribute. */
export interface Traveller {
  readonly source: Workload;
  /** Port of the HBONE listeners of workloads. */
  readonly hbonePort: number;
  /** Chance of this connection, each in [0, 1): for the waypoint among weighted ones, and for the endpoint. Deciding again with the same gives the same. */
  readonly draws: { readonly waypoint: number; readonly endpoint: number };
  /** Addresses of a host name, once it was resolved. */
  readonly resolved: (hostname: string) => readonly Ip[] | undefined;
}

/** What is known of the far end, for metrics and logs. */
interface Target {
  /** The workload that the connection goes to: the waypoint when there is one. */
  readonly workload: Workload | undefined;
  /** The service that was meant. */
  readonly service: Service | undefined;
}

/** A path that can be taken. */
export type OpenPath =
  /** Not of the mesh: to the original destination, untouched. */
  | { readonly kind: "passthrough"; readonly address: SocketAddress; readonly target: Target }
  /** Of the mesh, but it speaks no HBONE. */
  | { readonly kind: "tcp"; readonly address: SocketAddress; readonly target: Target }
  | {
      readonly kind: "hbone";
      readonly address: SocketAddress;
      readonly authority: string;
      readonly expected: readonly Identity[];
      readonly target: Target;
    }
  /** Through the gateway of another network: a tunnel within a tunnel (reference: protocol §1.10). */
  | {
      readonly kind: "doubleHbone";
      readonly address: SocketAddress;
      /** Of both CONNECT requests. */
      readonly authority: string;
      readonly outerExpected: readonly Identity[];
      readonly innerExpected: readonly Identity[];
      readonly target: Target;
    };

export type NoPathReason =
  | "unknownWaypoint"
  | "noHealthyUpstream"
  | "noServiceForTarget"
  | "noGateway"
  | "unknownGateway"
  | "noAddress";

export interface NoPath {
  readonly kind: "refuse";
  readonly reason: NoPathReason;
  readonly message: string;
}

export type Path =
  | OpenPath
  /** Resolve this name, then decide again with the answer. */
  | { readonly kind: "resolve"; readonly hostname: string }
  | NoPath;

export function noPath(reason: NoPathReason, message: string): NoPath {
  return { kind: "refuse", reason, message };
}
