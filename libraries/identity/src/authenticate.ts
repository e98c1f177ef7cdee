/** The verdict on a finished handshake: first the chain, as TLS judged it, then the SPIFFE identity. */

import type { TLSSocket } from "node:tls";
import type { Identity } from "@meltemi/model";
import { type PeerVerdict, verifyClientPeer, verifyServerPeer } from "./peer.ts";

/** For a server, on the `secure` event of its socket. Refused means: destroy the socket, answer nothing. */
export function authenticateClient(socket: TLSSocket, trustDomain: string): PeerVerdict {
  return authenticate(socket, (leaf) => verifyClientPeer(leaf, trustDomain));
}

/** For a client, on the `secure` or `secureConnect` event of its socket. */
export function authenticateServer(socket: TLSSocket, expected: readonly Identity[]): PeerVerdict {
  return authenticate(socket, (leaf) => verifyServerPeer(leaf, expected));
}

function authenticate(socket: TLSSocket, verifyLeaf: (leafDer: Uint8Array) => PeerVerdict): PeerVerdict {
  const fault = chainFault(socket);
  if (fault !== undefined) return { kind: "refused", reason: `peer certificate not trusted: ${fault}` };
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return { kind: "refused", reason: "peer certificate not trusted: none presented" };
  return verifyLeaf(leaf.raw);
}

/**
 * What OpenSSL found wrong with the peer's chain, undefined when nothing.
 *
 * Node lets every handshake finish and enforces `rejectUnauthorized` afterwards, and only in sockets that `tls.Server` or
 * `tls.connect` made. A server socket built over a connection that was accepted elsewhere never becomes `authorized`, good
 * certificate or not, so the verdict must be asked for where Node itself asks. No answer counts as a refusal.
 */
function chainFault(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  const handle = (socket as unknown as { readonly _handle?: { verifyError?: () => unknown } | null })._handle;
  if (typeof handle?.verifyError !== "function") return "no verdict from TLS";
  const error = handle.verifyError();
  // OpenSSL answers "fine" for a peer that sent no certificate: the caller's look at the leaf refuses that one.
  if (error === null || error === undefined) return undefined;
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "string" ? code : String(error);
}
