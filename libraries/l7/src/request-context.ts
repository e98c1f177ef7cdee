/** What is known of one request on its way through the filters, and the answers that are made here instead of by a service. */

import type { RequestHead } from "@meltemi/http";
import type { Identity, Ip, Workload } from "@meltemi/model";

/** Who opened the connection. */
export interface Caller {
  /** Of the workload itself, as its node's proxy told; not that of the last hop. */
  readonly ip: Ip;
  readonly port: number;
  /** Verified by the handshake of the tunnel. Undefined: not known to be anyone. */
  readonly identity: Identity | undefined;
  readonly workload: Workload | undefined;
  /** Kubernetes labels of the workload. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A token that was verified. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Claims that are lists of words in one text: `scope`, `permission` and those that the rule names. */
  readonly spaceDelimitedClaims: readonly string[];
}

export interface RequestContext {
  /** As it came, normalized; filters may change it before routing. */
  readonly request: RequestHead;
  readonly caller: Caller;
  /** What the client dialled: a service VIP and its port, or a pod. */
  readonly destination: { readonly ip: Ip; readonly port: number };
  readonly serverName: string | undefined;
  /** Path without query; changes with `request.path`. */
  path: string;
  /** Set by authentication. */
  token: VerifiedToken | undefined;
  /** What filters put there for CEL, logs and descriptors: `filter` → key → value. */
  readonly metadata: Map<string, Readonly<Record<string, unknown>>>;
  /** Fields that filters put on the response, whoever gives it; those of one name replace what it has, but for `set-cookie`. */
  responseFields?: (readonly [name: string, value: string])[];
}

/** An answer of the waypoint's own. For gRPC requests the engine turns it into trailers-only with the mapped status. */
export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Envoy's short flag such as `RL` or `UAEX`; empty for none. */
  readonly flag: string;
  /** Envoy's response code details, such as `rbac_access_denied_matched_policy[none]`. */
  readonly details: string;
}

export type FilterVerdict =
  | { readonly kind: "continue" }
  | {
      readonly kind: "reply";
      readonly reply: LocalReply;
      /** What failed behind it, for the log; never told to the client. */
      readonly upstreamFailure?: string;
    };

/** Aborted when nobody waits for the request any more. The signal is made when it is first asked for. */
export interface Cancellation {
  readonly signal: AbortSignal;
}

/** The beginning of a request's body. */
export interface BodyStart {
  readonly bytes: Uint8Array;
  /** Nothing follows. */
  readonly isWhole: boolean;
}

/** What a filter may ask of the proxy. */
export interface FilterRun extends Cancellation {
  /**
   * Waits for the body, or more than `maxBytes` of it, or as much as this process can hold; it goes on to the service all the same.
   * Called at most once per request. Bytes of a tunnel are no body.
   */
  readBody(maxBytes: number): Promise<BodyStart>;
}

/** Judges or changes a request before it is routed. Synchronous wherever it can be: a promise costs every request. */
export interface RequestFilter {
  readonly name: string;
  onRequest(context: RequestContext, run: FilterRun): FilterVerdict | Promise<FilterVerdict>;
  /**
   * Of a request that was let pass and goes on for long, such as a WebSocket, after this filter has changed: undefined, or the
   * details of its denial. Absent: the verdict of before stands.
   */
  rejudge?(context: RequestContext): string | undefined;
}

export const CONTINUE: FilterVerdict = { kind: "continue" };
