/** What a connection tells whoever holds it. */

import type { HboneConnection } from "./connection.ts";
import type { HeaderFields } from "./headers.ts";
import type { TunnelStream } from "./tunnel-stream.ts";

/** How a verified connection ended. */
export type SessionEnd =
  /** Peer closed it between streams, or it drained to the end. */
  | { readonly kind: "closed" }
  /** Violation by the peer, flood, keepalive timeout, network error. */
  | { readonly kind: "failed"; readonly detail: string }
  /** Cut by this process. */
  | { readonly kind: "aborted" };

export interface HboneConnectionOwner {
  onRequest(
    connection: HboneConnection,
    stream: TunnelStream,
    authority: string,
    headers: HeaderFields,
  ): void;
  /** Streams came or went, the peer's limit changed, or it drains. */
  onCapacity(connection: HboneConnection): void;
  /** Called once. */
  onEnd(connection: HboneConnection, end: SessionEnd): void;
}
