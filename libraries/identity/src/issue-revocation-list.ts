/** Makes and signs a certificate revocation list, version 2 (RFC 5280 §5). */

import { sign } from "node:crypto";
import * as write from "./der-writer.ts";
import { authorityKeyIdentifierExtension } from "./extensions.ts";
import type { Issuer } from "./issue.ts";
import { OID } from "./object-identifiers.ts";
import { signatureAlgorithmFor } from "./public-key.ts";

export interface RevocationListRequest {
  /** As in {@link Certificate.serialNumber}. */
  readonly serialNumbers: readonly string[];
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** Grows with every list of the issuer. */
  readonly number: number;
}

/** Complete, and for certificates of this issuer only. Gives its DER. */
export function issueRevocationList(issuer: Issuer, request: RevocationListRequest): Uint8Array {
  const { oid, digest } = signatureAlgorithmFor(issuer.key);
  const parameters = issuer.key.asymmetricKeyType === "rsa" ? [write.nullValue()] : [];
  const algorithm = write.sequence(write.objectIdentifier(oid), ...parameters);
  const date = write.time(request.thisUpdateMs);
  const entries = request.serialNumbers.map((serial) =>
    write.sequence(write.unsignedInteger(Buffer.from(serial, "hex")), date),
  );
  const number = Buffer.alloc(6);
  number.writeUIntBE(request.number, 0, 6);
  const body = write.sequence(
    write.unsignedInteger(Uint8Array.of(1)),
    algorithm,
    issuer.certificate.subject,
    date,
    write.time(request.nextUpdateMs),
    // An empty list of entries is left out (RFC 5280 §5.1.2.6).
    ...(entries.length > 0 ? [write.sequence(Buffer.concat(entries))] : []),
    write.explicit(
      0,
      write.sequence(
        authorityKeyIdentifierExtension(issuer.certificate.subjectKeyIdentifier),
        write.sequence(
          write.objectIdentifier(OID.crlNumber),
          write.octetString(write.unsignedInteger(number)),
        ),
      ),
    ),
  );
  return write.sequence(body, algorithm, write.bitString(sign(digest, body, issuer.key)));
}
