/** The revocation lists of a plugged-in CA: key `ca-crl.pem` of its Secret, as Istio's `PILOT_ENABLE_CA_CRL` has it. No IO. */

import {
  type Certificate,
  readRevocationFile,
  revocationListFault,
  revocationListsPem,
} from "@meltemi/identity";

/** Key of the Secret, and of the ConfigMap in which the lists go out. */
export const REVOCATION_KEY = "ca-crl.pem";
/** All that a ConfigMap can hold; the API server would refuse to publish more. */
const MAX_PUBLISHED_BYTES = 1024 * 1024;

export type RevocationReading =
  | { readonly kind: "ok"; readonly pem: string }
  | { readonly kind: "refused"; readonly why: string };

/**
 * Reads and proves lists against the CA's own certificates. Gives them as PEM and nothing else that stood in the text, which may be a
 * key by mistake and would go to every namespace. A blank text gives "": no list.
 */
export function readRevocationMaterial(
  text: string | undefined,
  authorities: readonly Certificate[],
): RevocationReading {
  if (text === undefined || text.trim() === "") return { kind: "ok", pem: "" };
  const lists = readRevocationFile(Buffer.from(text));
  if (lists.kind === "bad") return { kind: "refused", why: lists.why };
  const fault = revocationListFault(lists.value, authorities);
  if (fault !== undefined) return { kind: "refused", why: fault };
  const pem = revocationListsPem(lists.value);
  if (pem.length > MAX_PUBLISHED_BYTES)
    return {
      kind: "refused",
      why: `${pem.length} bytes of lists, at most ${MAX_PUBLISHED_BYTES} fit into a ConfigMap`,
    };
  return { kind: "ok", pem };
}
