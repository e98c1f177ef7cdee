import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { ByteChannel } from "@meltemi/l4";
import type { Identity, Ip, SocketAddress } from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";
import type { HeaderFields } from "./headers.ts";
import type { HboneOptions } from "./options.ts";
import type { HbonePeer, PeerVerdict } from "./peer.ts";

/** What makes two tunnels share a connection (reference: protocol §1.7). */
export interface PoolKey {
  /** Whose certificate is presented. */
  readonly source: Identity;
  /** Any of these is accepted from the server; the order is part of the key. */
  readonly expected: readonly Identity[];
  readonly destination: SocketAddress;
  readonly sourceIp: Ip;
}

export interface TunnelRequest {
  /** `ip:port`, `[ip6]:port` or `host:port` (reference: protocol §1.4). */
  readonly authority: string;
  readonly headers: HeaderFields;
}

export type TunnelOutcome =
  | {
      readonly kind: "open";
      readonly channel: ByteChannel;
      readonly headers: HeaderFields;
      readonly peer: HbonePeer;
    }
  /** The far side answered, and not with 200. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly headers: HeaderFields;
      readonly peer: HbonePeer;
    }
  | {
      readonly kind: "failed";
      /** `connect-timeout` is what a NetworkPolicy that drops port 15008 looks like. */
      readonly stage:
        | "connect"
        | "connect-timeout"
        | "tls"
        | "identity"
        | "certificate"
        | "stream"
        | "closed";
      readonly detail: string;
    };

export interface HbonePoolOptions extends HboneOptions {
  /** An unused connection is released after this long. */
  readonly unusedReleaseMs: number;
  readonly connectTimeoutMs: number;
}

export interface HbonePoolDeps {
  readonly clock: Clock;
  /** Connects TCP, for example from inside a pod's network namespace. Rejects on failure; obeys the signal. */
  readonly dial: (destination: SocketAddress, sourceIp: Ip, signal: AbortSignal) => Promise<Socket>;
  /** The source's certificate, asked once per connection. */
  readonly secureContext: (source: Identity) => SecureContext | Promise<SecureContext>;
  /** Judges the server's leaf against the expected identities. */
  readonly verifyPeer: (certificateDer: Uint8Array, expected: readonly Identity[]) => PeerVerdict;
}

export interface HbonePool extends AsyncDisposable {
  /** Opens a tunnel on a pooled connection, making one when needed. Never rejects. */
  openTunnel(key: PoolKey, request: TunnelRequest, signal?: AbortSignal): Promise<TunnelOutcome>;
  readonly connections: number;
  readonly streams: number;
  /** No new tunnels; resolves when the open ones have ended, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
  /** Cuts the connections whose peer matches (revoked certificate). Returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}
