/** The verdict on a finished handshake: first the chain, as TLS judged it, then the SPIFFE identity. */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Identity } from "@meltemi/model";
import { type PeerVerdict, verifyClientPeer, verifyServerPeer } from "./peer.ts";

/** A verdict on the handshake, and for a good one the certificates as the peer presented them, in DER, leaf first. */
export type HandshakeVerdict =
  | {
      readonly kind: "ok";
      readonly identity: Identity;
      readonly chainDer: readonly Uint8Array[];
    }
  | { readonly kind: "refused"; readonly reason: string };

/** For a server, on the `secure` event of its socket. Refused means: destroy the socket, answer nothing. */
export function authenticateClient(socket: TLSSocket, trustDomain: string): HandshakeVerdict {
  return authenticate(socket, (leaf) => verifyClientPeer(leaf, trustDomain));
}

/** For a client, on the `secure` or `secureConnect` event of its socket. */
export function authenticateServer(socket: TLSSocket, expected: readonly Identity[]): HandshakeVerdict {
  return authenticate(socket, (leaf) => verifyServerPeer(leaf, expected));
}

function authenticate(socket: TLSSocket, verifyLeaf: (leafDer: Uint8Array) => PeerVerdict): HandshakeVerdict {
  const fault = chainFault(socket);
  if (fault !== undefined) return { kind: "refused", reason: `peer certificate not trusted: ${fault}` };
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return { kind: "refused", reason: "peer certificate not trusted: none presented" };
  const chainDer = chainOf(leaf);
  if (chainDer === undefined)
    return {
      kind: "refused",
      reason: `peer certificate not trusted: more than ${MAX_PRESENTED_CERTIFICATES} certificates presented`,
    };
  const verdict = verifyLeaf(leaf.raw);
  return verdict.kind === "ok" ? { ...verdict, chainDer } : verdict;
}

/**
 * No chain of the mesh is longer. OpenSSL verified a path among those presented: a peer that presents more may have put its
 * revoked issuer behind them.
 */
const MAX_PRESENTED_CERTIFICATES = 16;

/**
 * Undefined when it is too long. Node takes the chain out of the session with the first look at it: a second one would find no
 * issuers, or nobody.
 */
function chainOf(leaf: X509Certificate): readonly Uint8Array[] | undefined {
  const chain: Uint8Array[] = [];
  for (let one: X509Certificate | undefined = leaf; one !== undefined; one = one.issuerCertificate) {
    if (chain.length >= MAX_PRESENTED_CERTIFICATES) return undefined;
    chain.push(one.raw);
  }
  return chain;
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
