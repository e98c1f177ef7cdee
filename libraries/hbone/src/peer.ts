import type { Identity } from "@meltemi/model";

/** Result of checking a peer's leaf certificate beyond its chain, which TLS has verified before. */
export type PeerVerdict =
  | { readonly kind: "ok"; readonly identity: Identity }
  | { readonly kind: "refused"; readonly reason: string };

/** The far end of one HBONE connection. */
export interface HbonePeer {
  readonly identity: Identity;
  /** DER of the leaf, for revocation checks and dumps. */
  readonly certificateDer: Uint8Array;
  /** `ip:port` text parts as the kernel names them. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}
