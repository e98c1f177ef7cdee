/** What a delta client needs, and what it offers. */

import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock, Logger } from "@meltemi/runtime";
import type { RejectedResource, XdsTypeUrl, XdsUpdate } from "../types.ts";
import type { TerminationReason } from "./connection.ts";

export interface XdsNode {
  /** `ztunnel~<ip>~<pod>.<namespace>~<namespace>.svc.cluster.local` */
  readonly id: string;
  /** `NAME`, `NAMESPACE`, `NODE_NAME`, `CLUSTER_ID`, … (`google.protobuf.Struct`). */
  readonly metadata: JsonObject;
}

export interface XdsClientOptions {
  /** `https://host:port`, `http://host:port` (plaintext, port 15010), or `host:port`, which means https. */
  readonly address: string;
  readonly node: XdsNode;
  /** Sent as metadata `clusterid` on every stream. */
  readonly clusterId: string;
  /** Further headers of every stream (`XDS_HEADER_*`). */
  readonly headers?: ReadonlyMap<string, string>;
  /** A name that the server's certificate may carry instead of the host of `address` (`ALT_XDS_HOSTNAME`). */
  readonly alternateHostname?: string;
  /** True: Address resources are fetched by name with {@link XdsClient.fetch}; policies always come all. */
  readonly onDemand?: boolean;
}

/** `U`: {@link XdsUpdate}, or what a waypoint hears. */
export interface XdsClientDependencies<U = XdsUpdate> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1); spreads reconnects. */
  readonly random: () => number;
  /** PEM roots that the server must chain to; asked anew for every connection. Undefined: the system's roots. */
  readonly rootCertificates: () => Promise<string | undefined>;
  /** Bearer token without the word `Bearer`; asked anew for every stream. Undefined: none is sent. */
  readonly token: () => Promise<string | undefined>;
  /**
   * Applies one response, at once and as a whole, and returns what it could not apply (usually nothing). Synchronous:
   * the acknowledgement leaves when it returns. An exception rejects all resources of the response.
   */
  readonly onUpdate: (update: U) => readonly RejectedResource[];
  /** Counters; see reference l7-and-cli §5.3. */
  readonly metrics?: XdsClientMetrics;
}

export interface XdsClientMetrics {
  /** One response: `istio_xds_message_total`, `istio_xds_message_bytes_total`. */
  message(typeUrl: string, bytes: number): void;
  /** One stream ended: `istio_xds_connection_terminations_total`. */
  terminated(reason: TerminationReason): void;
}

export interface XdsClient extends AsyncDisposable {
  /** Connects, and keeps on connecting until disposed. Call once. */
  start(): void;
  /** Resolves when every type has been answered once; never rejects, and stays pending when disposed before. */
  readonly synced: Promise<void>;
  readonly connected: boolean;
  /**
   * On-demand only: subscribes to `network/ip`, a workload uid or `namespace/hostname`, and resolves once the server has said
   * what it is, or that it is nothing (`onUpdate` ran before). Rejects with the signal's reason, or LIMIT_EXCEEDED.
   */
  fetch(name: string, signal?: AbortSignal): Promise<void>;
  /** On-demand only: asks anew for a name that was answered; the next {@link XdsClient.fetch} waits for the new answer. */
  renew(name: string): void;
  /**
   * On-demand only: forgets names, and resources that nobody needs without them, and opens a new stream that names the rest: what
   * the old one still carries of them is never heard. Whoever holds those resources drops them in the same turn.
   */
  forget(names: readonly string[], resourceNames: readonly string[]): void;
  /** Names held per type, for the admin port. */
  heldCount(typeUrl: XdsTypeUrl): number;
}
