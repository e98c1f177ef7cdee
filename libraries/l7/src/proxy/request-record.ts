/** All that is told of one request when it is over: what metrics, the access log and spans are made of. */

import type { HeaderFields } from "@meltemi/http";
import type { Ip, NamespacedHostname, Workload } from "@meltemi/model";
import type { RequestContext } from "../request-context.ts";

/** Where a request went. */
export interface UpstreamRecord {
  readonly cluster: string;
  readonly service: NamespacedHostname;
  /** Undefined until an endpoint was chosen. */
  readonly endpoint:
    | { readonly ip: Ip | undefined; readonly port: number; readonly workload: Workload | undefined }
    | undefined;
}

export interface RequestRecord {
  readonly context: RequestContext;
  /** The service that the client asked for, whatever routes made of it; undefined for traffic addressed to a workload. */
  readonly service: NamespacedHostname | undefined;
  readonly routeName: string;
  readonly upstream: UpstreamRecord | undefined;
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** From the last try's request to its response head; undefined without one. */
  readonly upstreamServiceTimeMs: number | undefined;
  /** 0 when the client went away before an answer. */
  readonly responseCode: number;
  readonly responseHeaders: HeaderFields | undefined;
  readonly responseTrailers: HeaderFields | undefined;
  /** Envoy's short flags, in order; empty when all went well. */
  readonly responseFlags: readonly string[];
  readonly responseCodeDetails: string;
  readonly upstreamFailure: string;
  /** Bodies, without heads. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Undefined unless the request is gRPC. */
  readonly grpc:
    | {
        readonly status: number | undefined;
        readonly requestMessages: number;
        readonly responseMessages: number;
      }
    | undefined;
  readonly attempts: number;
}

export interface RequestObserver {
  /** Called once per request. Must not throw. */
  onComplete(record: RequestRecord): void;
}

/** Follows requests through traces. */
export interface RequestTracer {
  /** Called once per request before any filter; may change its head. Undefined: nothing more is wanted of it. Must not throw. */
  begin(context: RequestContext): RequestSpan | undefined;
}

export interface RequestSpan {
  /** The last call. Must not throw. */
  end(record: RequestRecord): void;
}
