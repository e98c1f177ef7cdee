/** What a tunnel is asked by, and what may come of it. */
import type { ByteChannel } from "@meltemi/l4";
import type { Identity, Ip, SocketAddress } from "@meltemi/model";
import type { HeaderFields } from "./headers.ts";
import type { HbonePeer } from "./peer.ts";

/** What makes two tunnels share a connection. */
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

export type TunnelFailure = {
  readonly kind: "failed";
  /** `connect-timeout` is what a NetworkPolicy that drops port 15008 looks like. */
  readonly stage:
    | "connect"
    | "connect-timeout"
    | "certificate"
    | "tls"
    | "identity"
    | "revoked"
    | "stream"
    | "closed";
  readonly detail: string;
};

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
  | TunnelFailure;
