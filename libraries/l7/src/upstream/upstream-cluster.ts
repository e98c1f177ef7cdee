/** A cluster as the proxy uses it: it chooses endpoints, counts what runs, and hears how tries ended. */

import type { HttpVersion } from "@meltemi/http";
import type { Ip, SocketAddress, Workload } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { TryResult } from "../balance/outlier-detector.ts";
import type { RequestContext } from "../request-context.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import type { DialEndpoint } from "./live-endpoint.ts";

export interface UpstreamEndpoint {
  /** Of the workload, or the address where there is none. */
  readonly uid: string;
  /** Undefined for a workload that is reached by its host name. */
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly workload: Workload | undefined;
  /** Its connections that speak what a request of this version is forwarded in. */
  poolFor(version: HttpVersion): EndpointPool;
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

/** A cluster for bytes that are not HTTP: no pool, one connection for one connection. */
export interface TcpUpstream extends Pick<UpstreamCluster, "config" | "limits" | "choose" | "report"> {
  /** `client`: whose bytes they will be. */
  connectTcp(
    endpoint: UpstreamEndpoint,
    signal: AbortSignal,
    client: SocketAddress,
  ): ReturnType<DialEndpoint>;
}

export interface UpstreamCluster {
  readonly config: Cluster;
  readonly limits: ConnectionLimits;
  /** `tried`: uids to avoid if there is another; `otherLocalities`: and whole localities of theirs. */
  choose(context: RequestContext, tried: readonly string[], otherLocalities: boolean): EndpointChoice;
  report(endpoint: UpstreamEndpoint, result: TryResult): void;
}
