/** One service port as the proxy serves it: an immutable snapshot that a request takes when it begins and keeps to its end. */

import type { NamespacedHostname } from "@meltemi/model";
import type { RetryPolicy, WaypointSettings } from "@meltemi/model/l7";
import type { RequestFilter } from "../request-context.ts";
import type { RouteTable } from "../routing/route-table.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { RequestObserver, RequestTracer } from "./request-record.ts";

export interface HttpSite {
  /** Undefined: the client dialled a workload. */
  readonly service: NamespacedHostname | undefined;
  /** In order: external authorization, tokens, policies, rate limits. */
  readonly filters: readonly RequestFilter[];
  /** Undefined: everything goes to `defaultCluster`. */
  readonly routes: RouteTable | undefined;
  readonly defaultCluster: UpstreamCluster;
  /** Undefined for a name that routes may not have. */
  cluster(name: string): UpstreamCluster | undefined;
  readonly defaultRetry: RetryPolicy;
  readonly pathNormalization: WaypointSettings["pathNormalization"];
  /** `x-forwarded-client-cert` names the caller. */
  readonly forwardClientIdentity: boolean;
  readonly observer: RequestObserver;
  /** Undefined: headers of traces are passed on as they came. */
  readonly tracer?: RequestTracer | undefined;
}
