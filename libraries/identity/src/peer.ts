/**
 * Who the peer is (reference: protocol §1.1). Runs after TLS has verified the chain to the mesh's roots, the dates and the
 * extended key usage; this decides on the SPIFFE identity alone.
 */

import { formatIdentity, type Identity, parseIdentity, sameIdentity } from "@meltemi/model";
import { decodeCertificate } from "./certificate.ts";

export type PeerVerdict =
  | { readonly kind: "ok"; readonly identity: Identity }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * The server's side of a connection: is it one of those we wanted to reach? No expected identity means nobody is accepted.
 * `leafDer` is the certificate that the server presented.
 */
export function verifyServerPeer(leafDer: Uint8Array, expected: readonly Identity[]): PeerVerdict {
  const presented = readIdentities(leafDer);
  if (presented.kind === "refused") return presented;
  const identity = presented.identities.find((one) => expected.some((wanted) => sameIdentity(one, wanted)));
  if (identity !== undefined) return { kind: "ok", identity };
  return {
    kind: "refused",
    reason: `identity verification error: peer did not present the expected SAN (${list(expected)}), got ${list(presented.identities)}`,
  };
}

/**
 * The client's side: it must belong to the trust domain of the certificate we serve with, or to one of its aliases. The identity given
 * back, which policy judges, is the first one *of those domains*: a second name in a certificate never smuggles in a foreign identity.
 */
export function verifyClientPeer(leafDer: Uint8Array, trustDomains: readonly string[]): PeerVerdict {
  const presented = readIdentities(leafDer);
  if (presented.kind === "refused") return presented;
  const identity = presented.identities.find((one) => trustDomains.includes(one.trustDomain));
  if (identity !== undefined) return { kind: "ok", identity };
  return {
    kind: "refused",
    reason: `identity verification error: peer did not present the expected trustdomain (${trustDomains.join(",")}), got ${list(presented.identities)}`,
  };
}

type Presented =
  | { readonly kind: "presented"; readonly identities: readonly Identity[] }
  | { readonly kind: "refused"; readonly reason: string };

function readIdentities(leafDer: Uint8Array): Presented {
  const leaf = decodeCertificate(leafDer);
  if (leaf.kind === "bad")
    return { kind: "refused", reason: `identity verification error: peer certificate: ${leaf.why}` };
  const identities = leaf.value.names.uris.map(parseIdentity).filter((one) => one !== undefined);
  return { kind: "presented", identities };
}

function list(identities: readonly Identity[]): string {
  return identities.map(formatIdentity).join(",");
}
