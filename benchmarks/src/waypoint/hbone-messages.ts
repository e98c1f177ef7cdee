/** What the programs around a waypoint agree on. */

import type { Credentials } from "../l4/credentials.ts";
import type { Version } from "./traffic.ts";

/** Loopback addresses that stand for pods; each has its node's proxy on the HBONE port. */
export const POD_ADDRESSES: Readonly<Record<Version, string>> = { v1: "127.0.1.1", v2: "127.0.1.2" };
export const ENDPOINT_HBONE_PORT = 15008;
export const WAYPOINT_HBONE_PORT = 15108;

/** The authority that the programs share tells the waypoint who it is. */
export interface NodeProxiesStarted {
  readonly waypoint: Credentials;
}
