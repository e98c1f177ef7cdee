/** The verdict on a finished handshake: first the chain, as TLS judged it, then the SPIFFE identity. */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Identity } from "@meltemi/model";
import { type PeerVerdict, verifyClientPeer, verifyServerPeer } from "./peer.ts";
import type { PeerChain } from "./revocation-index.ts";
import type { TlsContexts } from "./tls-contexts.ts";

/** Of a handshake that is refused, and of a connection that is cut when the lists change (reference: protocol §1.2). */
export const PEER_REVOKED = "connection closed: peer certificate revoked by CRL";

export type HandshakeVerdict =
  | { readonly kind: "ok"; readonly identity: Identity; readonly chain: PeerChain }
  /** `identity`: untrusted, or none of ours. `revoked`: all of that held, but a revocation list names the peer. */
  | { readonly kind: "refused"; readonly stage: "identity" | "revoked"; readonly reason: string };

/** For a server, on the `secure` event of its socket, once. Refused means: destroy the socket, answer nothing. */
export function authenticateClient(socket: TLSSocket, contexts: TlsContexts): HandshakeVerdict {
  const trustDomains = [
    contexts.certificate.identity.trustDomain,
    ...(contexts.trustDomainAliases?.() ?? []),
  ];
  return authenticate(socket, contexts, "client", (leaf) => verifyClientPeer(leaf, trustDomains));
}

/** For a client, on the `secure` or `secureConnect` event of its socket, once. */
export function authenticateServer(
  socket: TLSSocket,
  contexts: TlsContexts,
  expected: readonly Identity[],
): HandshakeVerdict {
  return authenticate(socket, contexts, "server", (leaf) => verifyServerPeer(leaf, expected));
}

function authenticate(
  socket: TLSSocket,
  contexts: TlsContexts,
  role: "client" | "server",
  verifyLeaf: (leafDer: Uint8Array) => PeerVerdict,
): HandshakeVerdict {
  const fault = chainFault(socket);
  if (fault !== undefined) return refused(`peer certificate not trusted: ${fault}`);
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return refused("peer certificate not trusted: none presented");
  const verdict = verifyLeaf(leaf.raw);
  if (verdict.kind === "refused") return refused(verdict.reason);
  const der = chainOf(leaf);
  if (der === undefined)
    return refused(
      `peer certificate not trusted: more than ${MAX_PRESENTED_CERTIFICATES} certificates presented`,
    );
  const chain = { der, roots: contexts.certificate.roots };
  if (contexts.isRevoked?.(chain, role) === true)
    return { kind: "refused", stage: "revoked", reason: PEER_REVOKED };
  return { kind: "ok", identity: verdict.identity, chain };
}

function refused(reason: string): HandshakeVerdict {
  return { kind: "refused", stage: "identity", reason };
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
