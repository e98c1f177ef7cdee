/** One service port as bytes that are not read: what the TCP proxy serves, and what it tells. */

import type { Ip, NamespacedHostname, Workload } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { Caller, RequestContext } from "../request-context.ts";
import type { TcpUpstream } from "../upstream/upstream-cluster.ts";
import type { TcpRouteTable } from "./tcp-routes.ts";

/** All that is known of a client connection before its first byte. */
export interface ClientConnectionFacts {
  readonly caller: Caller;
  /** What the client dialled. */
  readonly destination: RequestContext["destination"];
  /** Of its TLS ClientHello, where that was looked at. */
  readonly serverName: string | undefined;
}

export interface TcpRecord {
  readonly connection: ClientConnectionFacts;
  readonly service: NamespacedHostname | undefined;
  readonly cluster: Cluster | undefined;
  readonly endpoint:
    | { readonly ip: Ip | undefined; readonly port: number; readonly workload: Workload | undefined }
    | undefined;
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** From the client. */
  readonly receivedBytes: number;
  /** To the client. */
  readonly sentBytes: number;
  readonly responseFlags: readonly string[];
  readonly details: string;
  readonly upstreamFailure: string;
}

/** A connection that is being relayed; its counts grow. */
export interface LiveTcp {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface TcpObserver {
  /** An endpoint was reached. */
  onOpened(record: TcpRecord, live: LiveTcp): void;
  /** Called once per connection, also for those that never opened. Must not throw. */
  onComplete(record: TcpRecord): void;
}

/** Why a connection may not pass, in Envoy's words. */
export interface ConnectionDenial {
  /** `UAEX` where an external authorizer says so, or does not say; empty where a policy does. */
  readonly flag: "" | "UAEX";
  readonly details: string;
  /** What failed behind it. */
  readonly upstreamFailure: string;
}

export interface TcpSite {
  /** Undefined: the client dialled a workload. */
  readonly service: NamespacedHostname | undefined;
  readonly routes: TcpRouteTable;
  readonly defaultCluster: TcpUpstream;
  /** Undefined for a name that routes may not have. */
  cluster(name: string): TcpUpstream | undefined;
  /** Undefined: it may pass. A promise where an external authorizer has to be asked. */
  authorize(
    connection: ClientConnectionFacts,
  ): ConnectionDenial | undefined | Promise<ConnectionDenial | undefined>;
  /**
   * Of a connection that is open already, by the policies of now: undefined, or the details of a denial. External authorizers are not
   * asked again. Absent: there are no policies.
   */
  rejudge?(connection: ClientConnectionFacts): string | undefined;
  readonly observer: TcpObserver;
}
