/** What the processes of the control-plane benchmark say to each other. */

interface ServerStarted {
  readonly kind: "started";
  readonly port: number;
}

/** Changes `count` pods at once. */
interface ChangeRequest {
  readonly kind: "change";
  readonly count: number;
}

export interface ChangeResult {
  readonly kind: "changed";
  /** From the API server's event to the last subscriber's acknowledgement. */
  readonly lastAckMs: number;
  /** CPU of the control plane meanwhile. */
  readonly cpuMs: number;
  readonly encodings: number;
}

export interface ServerState {
  readonly kind: "state";
  readonly rssBytes: number;
  /** Over names and versions of all addresses. */
  readonly digest: string;
}

export type ToServer = ChangeRequest | { readonly kind: "state" };
export type FromServer = ServerStarted | ChangeResult | ServerState;

interface SubscribersReport {
  readonly kind: "report";
  /** Every subscriber was sent the same bytes. */
  readonly identical: boolean;
  /** As {@link ServerState.digest}, of what the first subscriber holds. */
  readonly digest: string;
}

export type ToSubscribers = { readonly kind: "report" };
export type FromSubscribers = { readonly kind: "synced"; readonly elapsedMs: number } | SubscribersReport;
