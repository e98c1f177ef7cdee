import type { TLSSocket } from "node:tls";
import type { PeerChain } from "@meltemi/identity";
import type { Identity } from "@meltemi/model";

/** The far end of one HBONE connection, verified. */
export interface HbonePeer {
  readonly identity: Identity;
  /** For revocation: judged again when the lists change. */
  readonly chain: PeerChain;
  /** As the kernel names them; empty when the socket was gone before it could be asked. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export function peerOf(
  socket: TLSSocket,
  { identity, chain }: { readonly identity: Identity; readonly chain: PeerChain },
): HbonePeer {
  return {
    identity,
    chain,
    remoteAddress: socket.remoteAddress ?? "",
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? "",
    localPort: socket.localPort ?? 0,
  };
}
