import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { ByteChannel } from "@meltemi/l4";
import type { Clock } from "@meltemi/runtime";
import type { HeaderFields } from "./headers.ts";
import type { HbonePeer, PeerVerdict } from "./peer.ts";

/**
 * A CONNECT request of a verified peer. Exactly one of `accept` and `refuse` is called; a request whose stream or connection
 * ends first is `abandoned`, and both become no-ops (`accept` then gives a channel that reports a fault when opened).
 */
export interface HboneRequest {
  /** `:authority`, not yet parsed. */
  readonly authority: string;
  /** All but the pseudo headers. */
  readonly headers: HeaderFields;
  readonly peer: HbonePeer;
  /** Aborted when the peer gives up before an answer; stop connecting to the application then. */
  readonly abandoned: AbortSignal;
  /** Answers 200 with these headers; the body both ways is the channel. */
  accept(headers: HeaderFields): ByteChannel;
  /** Answers this status (400, 401, 503) and ends the stream. */
  refuse(status: number, headers?: HeaderFields): void;
}

/** Why a connection gave no (further) request; for the log line and the metrics of the caller. */
export type ConnectionEnd =
  /** Peer closed it, or drained to the end. */
  | { readonly kind: "closed" }
  /** TLS failed or the peer was refused: no request was ever read. */
  | {
      readonly kind: "refused";
      readonly stage: "tls" | "identity" | "limit" | "certificate";
      readonly detail: string;
    }
  /** Broke later: protocol violation by the peer, flood, keepalive timeout, network error. */
  | { readonly kind: "failed"; readonly detail: string }
  /** Cut by this process (drain deadline, revoked certificate, dispose). */
  | { readonly kind: "aborted" };

export interface HboneServerDeps {
  readonly clock: Clock;
  /** The certificate to serve, asked once per connection so that rotation needs no restart. A rejection refuses the connection. */
  readonly secureContext: () => SecureContext | Promise<SecureContext>;
  /** Judges the client's leaf: SPIFFE id, trust domain, revocation. */
  readonly verifyPeer: (certificateDer: Uint8Array) => PeerVerdict;
  readonly onRequest: (request: HboneRequest) => void;
  readonly onConnectionEnd?: (
    end: ConnectionEnd,
    from: { readonly remoteAddress: string; readonly remotePort: number },
  ) => void;
}

export interface HboneServer extends AsyncDisposable {
  /** Takes over a freshly accepted TCP socket (paused, nothing read). */
  accept(socket: Socket): void;
  readonly connections: number;
  readonly streams: number;
  /** GOAWAY to every peer, existing streams go on; resolves when all are gone, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
  /** Cuts the connections whose peer matches (revoked certificate). Returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}
