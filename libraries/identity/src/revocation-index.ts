/** Which certificates are revoked, by the lists that are in force. Pure; replaced as a whole when the lists change. */

import { type Certificate, decodeCertificate, isIssuedBy } from "./certificate.ts";
import type { RevocationList } from "./revocation-list.ts";
import { isListOf } from "./revocation-proof.ts";

/** What a peer presented in its handshake, and what it was trusted by. */
export interface PeerChain {
  /** Certificates in DER, leaf first, as they came: verified by TLS, but there may be more of them than the path needed. */
  readonly der: readonly Uint8Array[];
  readonly roots: readonly Certificate[];
}

export type RevocationVerdict =
  | { readonly kind: "good" }
  | { readonly kind: "revoked"; readonly certificate: Certificate }
  /** Nothing known against it, but some of its certificates could not be read. */
  | { readonly kind: "untracked"; readonly why: string };

export interface RevocationIndex {
  /** Serial numbers known, over all lists. */
  readonly size: number;
  /** Judges every certificate of the chain, and the CA certificates among the roots that it leads to. */
  judge(chain: PeerChain): RevocationVerdict;
}

/**
 * A list counts for a certificate when both carry the same issuer's name and the key of one certificate of that name signed both:
 * two CAs may bear the same name, and a list is worth what its signature is worth. Signatures are verified only for a serial
 * number that is listed, so lists cost nothing to those who are not on them.
 */
export function createRevocationIndex(lists: readonly RevocationList[]): RevocationIndex {
  const byIssuer = new Map<string, RevocationList[]>();
  for (const list of lists) {
    const name = nameKey(list.issuer);
    const same = byIssuer.get(name);
    if (same === undefined) byIssuer.set(name, [list]);
    else same.push(list);
  }
  const isRevoked = (certificate: Certificate, issuers: readonly Certificate[]): boolean =>
    (byIssuer.get(nameKey(certificate.issuer)) ?? []).some(
      (list) =>
        list.serialNumbers.has(certificate.serialNumber) &&
        issuers.some((issuer) => signedBoth(issuer, list, certificate)),
    );
  return {
    size: lists.reduce((sum, list) => sum + list.serialNumbers.size, 0),
    judge({ der, roots }) {
      if (byIssuer.size === 0) return { kind: "good" };
      const { presented, fault } = readable(der);
      const path = upThrough(presented, roots);
      const known = [...presented, ...roots];
      const found = path.find((certificate) => isRevoked(certificate, known));
      if (found !== undefined) return { kind: "revoked", certificate: found };
      return fault === undefined ? { kind: "good" } : { kind: "untracked", why: fault };
    },
  };
}

function signedBoth(issuer: Certificate, list: RevocationList, certificate: Certificate): boolean {
  return isIssuedBy(certificate, issuer) && isListOf(list, issuer);
}

/** The presented certificates, and those CA certificates among `roots` whose names they lead to, each once. */
function upThrough(presented: readonly Certificate[], roots: readonly Certificate[]): readonly Certificate[] {
  const path = [...presented];
  for (const certificate of path) {
    const name = nameKey(certificate.issuer);
    path.push(...roots.filter((root) => nameKey(root.subject) === name && !path.includes(root)));
  }
  return path;
}

function readable(der: readonly Uint8Array[]): {
  readonly presented: readonly Certificate[];
  readonly fault: string | undefined;
} {
  const presented: Certificate[] = [];
  let fault: string | undefined;
  for (const [index, one] of der.entries()) {
    const decoded = decodeCertificate(one);
    if (decoded.kind === "ok") presented.push(decoded.value);
    else fault ??= `certificate ${index + 1} of ${der.length}: ${decoded.why}`;
  }
  if (der.length === 0) fault = "no certificate";
  return { presented, fault };
}

function nameKey(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
}
