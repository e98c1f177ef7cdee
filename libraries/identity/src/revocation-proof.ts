/** Whether revocation lists are what they say: signed by the CA that they name (RFC 5280 §6.3.3 (f), (g)). */

import type { Certificate } from "./certificate.ts";
import { KEY_USAGE } from "./extensions.ts";
import { importPublicKey, signatureHolds } from "./public-key.ts";
import type { RevocationList } from "./revocation-list.ts";

/** True when the key of `issuer` signed the list, and may sign lists at all. */
export function isListOf(list: RevocationList, issuer: Certificate): boolean {
  if (Buffer.compare(issuer.subject, list.issuer) !== 0) return false;
  if (!maySignLists(issuer)) return false;
  const key = importPublicKey(issuer.publicKeySpki);
  return key !== undefined && signatureHolds(key, list.signed);
}

/**
 * The first list that names one of `authorities` as its issuer and was not signed by it: a list that was damaged, cut or made up.
 * Undefined when there is none. Lists of issuers that are not among `authorities` cannot be proven here; they count later for the
 * certificates that their key signed, and for no others.
 */
export function revocationListFault(
  lists: readonly RevocationList[],
  authorities: readonly Certificate[],
): string | undefined {
  for (const [index, list] of lists.entries()) {
    const named = authorities.filter((authority) => names(list, authority));
    if (named.length === 0 || named.some((authority) => isListOf(list, authority))) continue;
    const why = named.some(maySignLists)
      ? "not signed by the CA that it names as its issuer"
      : "its issuer may not sign lists (key usage without cRLSign)";
    return `list ${index + 1} of ${lists.length}: ${why}`;
  }
  return undefined;
}

/** By name, and by key where the list says which: CAs of several clusters often bear the same name. */
function names({ issuer, authorityKeyIdentifier }: RevocationList, authority: Certificate): boolean {
  if (Buffer.compare(authority.subject, issuer) !== 0) return false;
  return (
    authorityKeyIdentifier === undefined ||
    Buffer.compare(authority.subjectKeyIdentifier, authorityKeyIdentifier) === 0
  );
}

function maySignLists({ keyUsage }: Certificate): boolean {
  return keyUsage === undefined || (keyUsage & KEY_USAGE.crlSign) !== 0;
}
