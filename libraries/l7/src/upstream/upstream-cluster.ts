/** A cluster as the proxy uses it: it chooses endpoints, counts what runs, and hears how tries ended. */

import type { Ip, Workload } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { RequestContext } from "../request-context.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import type { EndpointPool } from "./endpoint-pool.ts";

export interface UpstreamEndpoint {
  /** Of the workload, or the address where there is none. */
  readonly uid: string;
  readonly ip: Ip;
  readonly port: number;
  readonly workload: Workload | undefined;
  readonly pool: EndpointPool;
  /** Requests that run there, of this cluster and this process; load balancers read it. */
  active: number;
}

export type EndpointChoice =
  | {
      readonly kind: "endpoint";
      readonly endpoint: UpstreamEndpoint;
      /** Value of a `set-cookie` that keeps the client with this endpoint. */
      readonly setCookie: string | undefined;
    }
  /** None is there, or none may be used. */
  | { readonly kind: "none" };

/** What outlier detection counts. */
export type TryOutcome =
  | { readonly kind: "status"; readonly code: number }
  /** No connection, a reset, or no answer in time. */
  | { readonly kind: "localOrigin"; readonly cause: "connectFailed" | "reset" | "timeout" };

export interface UpstreamCluster {
  readonly config: Cluster;
  readonly limits: ConnectionLimits;
  /** `tried`: uids to avoid if there is another. */
  choose(context: RequestContext, tried: readonly string[]): EndpointChoice;
  report(endpoint: UpstreamEndpoint, outcome: TryOutcome): void;
}
