/**
 * Certificate signing requests, PKCS #10 (RFC 2986): what ztunnel sends to the CA (reference: protocol §4.1), and how the
 * CA reads what anybody may have sent.
 */

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { formatIdentity, type Identity } from "@meltemi/model";
import { contextTag, type Decoded, DerFault, type DerReader, decodeDer, TAG } from "./der-reader.ts";
import { readBitStringBytes, readObjectIdentifier, readSmallInteger } from "./der-values.ts";
import * as write from "./der-writer.ts";
import {
  readExtensions,
  readSubjectAltNames,
  type SubjectAltNames,
  subjectAltNameExtension,
} from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { readOnePem, writePem } from "./pem.ts";
import {
  importPublicKey,
  type PublicKeyInfo,
  readPublicKeyInfo,
  readSignatureAlgorithm,
  type SignedBytes,
  signatureHolds,
} from "./public-key.ts";

/** An RSA-4096 request with a few names is 2 KiB. */
export const MAX_REQUEST_BYTES: number = 8 * 1024;
const MAX_ATTRIBUTES = 16;

export interface CertificateSigningRequest {
  readonly publicKey: PublicKeyInfo;
  /** What the sender wishes to be called: the CA decides by the sender's identity instead. */
  readonly names: SubjectAltNames;
  readonly namesCritical: boolean;
  readonly emptySubject: boolean;
}

export interface NewRequest extends LeafKey {
  readonly pem: string;
}

export interface LeafKey {
  readonly privateKey: KeyObject;
  readonly publicKeySpki: Uint8Array;
}

/** A fresh ECDSA P-256 key. */
export function createLeafKey(): LeafKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, publicKeySpki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
}

/** A fresh ECDSA P-256 key and a request for `identity` signed with it. A key is used for one certificate only. */
export function createCertificateSigningRequest(identity: Identity): NewRequest {
  const { privateKey, publicKeySpki } = createLeafKey();
  const names = subjectAltNameExtension({ uris: [formatIdentity(identity)] }, true);
  const attribute = write.sequence(
    write.objectIdentifier(OID.extensionRequest),
    write.setOfOne(write.sequence(names)),
  );
  const info = write.sequence(
    write.unsignedInteger(Uint8Array.of(0)),
    write.sequence(),
    publicKeySpki,
    write.element(contextTag(0), attribute),
  );
  const der = write.sequence(
    info,
    write.sequence(write.objectIdentifier(OID.ecdsaWithSha256)),
    write.bitString(sign("sha256", info, privateKey)),
  );
  return { privateKey, publicKeySpki, pem: writePem(der, "CERTIFICATE REQUEST") };
}

/**
 * Reads a PEM request from a stranger and checks that the sender holds the private key.
 * Everything else than one well-formed, properly signed request for a key we certify is `bad`, with the reason.
 */
export function readCertificateSigningRequest(pem: string): Decoded<CertificateSigningRequest> {
  // Base64 and line ends make PEM a good third longer than DER.
  if (pem.length > 2 * MAX_REQUEST_BYTES)
    return {
      kind: "bad",
      why: `request of ${pem.length} characters, at most ${2 * MAX_REQUEST_BYTES} expected`,
    };
  const block = readOnePem(pem, "CERTIFICATE REQUEST");
  if (block.kind === "bad") return block;
  const parsed = decodeCertificateSigningRequest(block.value);
  if (parsed.kind === "bad") return parsed;
  const { request, signed } = parsed.value;
  const key = importPublicKey(request.publicKey.spki);
  if (key === undefined) return { kind: "bad", why: "public key: its numbers make no key" };
  if (!signatureHolds(key, signed))
    return { kind: "bad", why: "proof of possession: the signature does not fit the public key" };
  return { kind: "ok", value: request };
}

/** Structure alone, without cryptography. */
export function decodeCertificateSigningRequest(
  der: Uint8Array,
): Decoded<{ readonly request: CertificateSigningRequest; readonly signed: SignedBytes }> {
  return decodeDer(der, MAX_REQUEST_BYTES, (reader) => {
    const outer = reader.enter(TAG.sequence, "certificate request");
    const body = outer.read(TAG.sequence, "request information");
    const algorithm = readSignatureAlgorithm(outer, "signature algorithm");
    const signature = readBitStringBytes(outer, "signature");
    outer.end("certificate request");
    const info = outer.within(body);
    if (readSmallInteger(info, "version") !== 0) throw new DerFault("version: expected 0 (PKCS #10 v1)");
    const subject = info.read(TAG.sequence, "subject");
    const publicKey = readPublicKeyInfo(info);
    // `[0] attributes` is not OPTIONAL, but some writers leave an empty one out.
    const attributes = info.optional(contextTag(0), "attributes");
    info.end("request information");
    const extensions = attributes === undefined ? undefined : requestedExtensions(info.within(attributes));
    const names = extensions?.get(OID.subjectAltName);
    return {
      request: {
        publicKey,
        names: readSubjectAltNames(names),
        namesCritical: names?.critical ?? false,
        emptySubject: subject.content.length === 0,
      },
      signed: { body: body.whole, algorithm, signature },
    };
  });
}

function requestedExtensions(attributes: DerReader): ReturnType<typeof readExtensions> | undefined {
  let found: ReturnType<typeof readExtensions> | undefined;
  for (let count = 0; !attributes.done; count++) {
    if (count >= MAX_ATTRIBUTES) throw new DerFault(`more than ${MAX_ATTRIBUTES} attributes`);
    const attribute = attributes.enter(TAG.sequence, "attribute");
    const oid = readObjectIdentifier(attribute, "attribute name");
    const values = attribute.enter(TAG.set, `attribute ${oid}`);
    attribute.end(`attribute ${oid}`);
    if (oid !== OID.extensionRequest) continue;
    if (found !== undefined) throw new DerFault("extension request: given twice");
    found = readExtensions(values.enter(TAG.sequence, "extension request"));
    values.end("extension request");
  }
  return found;
}
