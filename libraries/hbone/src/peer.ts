import type { TLSSocket } from "node:tls";
import type { Identity } from "@meltemi/model";

/** The far end of one HBONE connection, verified. */
export interface HbonePeer {
  readonly identity: Identity;
  /** DER of the leaf, for revocation checks and dumps. */
  readonly certificateDer: Uint8Array;
  /** As the kernel names them; empty when the socket was gone before it could be asked. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export function peerOf(socket: TLSSocket, identity: Identity): HbonePeer {
  return {
    identity,
    certificateDer: socket.getPeerX509Certificate()?.raw ?? new Uint8Array(0),
    remoteAddress: socket.remoteAddress ?? "",
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? "",
    localPort: socket.localPort ?? 0,
  };
}
