/** Makes and signs certificates (reference: protocol §4.3). Time and randomness are the caller's. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { MeshError } from "@meltemi/runtime";
import { type Certificate, decodeCertificate, keyIdentifier } from "./certificate.ts";
import { decodeDer, TAG } from "./der-reader.ts";
import { readBitStringBytes } from "./der-values.ts";
import * as write from "./der-writer.ts";
import {
  authorityKeyIdentifierExtension,
  basicConstraintsExtension,
  extendedKeyUsageExtension,
  KEY_USAGE,
  keyUsageExtension,
  type NamesToWrite,
  subjectAltNameExtension,
  subjectKeyIdentifierExtension,
} from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { signatureAlgorithmFor } from "./public-key.ts";

/** Bytes of a serial number: RFC 5280 allows 20, CAs must use at least 64 random bits. */
const SERIAL_BYTES = 16;

/** A CA that can sign: its own certificate and the private key to it. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type CertificateUse = "clientAuth" | "serverAuth";

export interface LeafRequest extends Validity {
  /** SubjectPublicKeyInfo. */
  readonly publicKeySpki: Uint8Array;
  readonly names: NamesToWrite;
  readonly uses: readonly CertificateUse[];
}

export interface AuthorityRequest extends Validity {
  readonly organization: string;
  readonly commonName?: string;
  /** How many CAs may stand below this one; undefined for any number. */
  readonly pathLength?: number;
}

export type RandomBytes = (count: number) => Uint8Array;

/** A leaf with empty subject, critical names, and no life outside its issuer's. Gives its DER. */
export function issueLeaf(issuer: Issuer, request: LeafRequest, randomBytes: RandomBytes): Uint8Array {
  return signCertificate(issuer.key, randomBytes, {
    ...clamp(request, issuer.certificate),
    issuer: issuer.certificate.subject,
    subject: write.sequence(),
    publicKeySpki: request.publicKeySpki,
    extensions: [
      keyUsageExtension(KEY_USAGE.digitalSignature | KEY_USAGE.keyEncipherment),
      extendedKeyUsageExtension(request.uses.map((use) => OID[use])),
      basicConstraintsExtension({ certificateAuthority: false, pathLength: undefined }),
      subjectKeyIdentifierExtension(keyIdentifierOfSpki(request.publicKeySpki)),
      authorityKeyIdentifierExtension(issuer.certificate.subjectKeyIdentifier),
      subjectAltNameExtension(request.names, true),
    ],
  });
}

/** A root: fresh ECDSA P-256 key, signed by itself. Signing with P-256 is 12 times faster than with RSA-2048. */
export function createRootAuthority(request: AuthorityRequest, randomBytes: RandomBytes): Issuer {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return createRootAuthorityWithKey(request, privateKey, randomBytes);
}

/** A root around an existing private key: the root of a new life with the old key, or one of RSA. */
export function createRootAuthorityWithKey(
  request: AuthorityRequest,
  key: KeyObject,
  randomBytes: RandomBytes,
): Issuer {
  const name = distinguishedName(request);
  const spki = spkiOf(key);
  const der = signCertificate(key, randomBytes, {
    notBeforeMs: request.notBeforeMs,
    notAfterMs: request.notAfterMs,
    issuer: name,
    subject: name,
    publicKeySpki: spki,
    extensions: authorityExtensions(spki, request),
  });
  return { certificate: ownCertificate(der), key };
}

/** A CA below `issuer`, with a fresh ECDSA P-256 key. */
export function createIntermediateAuthority(
  issuer: Issuer,
  request: AuthorityRequest,
  randomBytes: RandomBytes,
): Issuer {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = spkiOf(privateKey);
  const der = signCertificate(issuer.key, randomBytes, {
    ...clamp(request, issuer.certificate),
    issuer: issuer.certificate.subject,
    subject: distinguishedName(request),
    publicKeySpki: spki,
    extensions: [
      ...authorityExtensions(spki, request),
      authorityKeyIdentifierExtension(issuer.certificate.subjectKeyIdentifier),
    ],
  });
  return { certificate: ownCertificate(der), key: privateKey };
}

/** Reads a PEM private key and checks that it is the one of `certificate`; throws INPUT_INVALID naming what is wrong. */
export function issuerFrom(certificate: Certificate, keyPem: string): Issuer {
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch {
    // OpenSSL's error may quote the input: it is dropped on purpose.
    throw new MeshError(
      "INPUT_INVALID",
      "read CA private key: expected an unencrypted PEM key (PKCS#8, SEC1 or PKCS#1)",
    );
  }
  const fault = keyFault(key);
  if (fault !== undefined) throw new MeshError("INPUT_INVALID", `read CA private key: ${fault}`);
  if (Buffer.compare(spkiOf(key), certificate.publicKeySpki) !== 0)
    throw new MeshError("INPUT_INVALID", "read CA private key: it is not the key of the CA certificate");
  return { certificate, key };
}

/** Peers' TLS refuses weaker keys, and one of another kind would sign what nobody can verify. */
function keyFault(key: KeyObject): string | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const found = `${key.asymmetricKeyType} ${namedCurve ?? (modulusLength || "")}`.trim();
  const good =
    key.asymmetricKeyType === "rsa"
      ? modulusLength >= 2048
      : namedCurve === "prime256v1" || namedCurve === "secp384r1";
  return good ? undefined : `${found}, expected ECDSA P-256, P-384 or RSA of at least 2048 bits`;
}

interface CertificateFields extends Validity {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKeySpki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

function signCertificate(key: KeyObject, randomBytes: RandomBytes, fields: CertificateFields): Uint8Array {
  if (fields.notAfterMs <= fields.notBeforeMs)
    throw new MeshError(
      "INPUT_INVALID",
      "issue certificate: it would end before it begins (is the issuer expired?)",
    );
  const algorithm = signatureAlgorithmFor(key);
  const algorithmIdentifier = write.sequence(
    write.objectIdentifier(algorithm.oid),
    ...(key.asymmetricKeyType === "rsa" ? [write.nullValue()] : []),
  );
  const body = write.sequence(
    write.explicit(0, write.unsignedInteger(Uint8Array.of(2))),
    write.unsignedInteger(serialNumber(randomBytes)),
    algorithmIdentifier,
    fields.issuer,
    write.sequence(write.time(fields.notBeforeMs), write.time(fields.notAfterMs)),
    fields.subject,
    fields.publicKeySpki,
    write.explicit(3, write.sequence(...fields.extensions)),
  );
  return write.sequence(body, algorithmIdentifier, write.bitString(sign(algorithm.digest, body, key)));
}

/** Positive and never short: the top bits are 01. */
function serialNumber(randomBytes: RandomBytes): Uint8Array {
  const bytes = Uint8Array.from(randomBytes(SERIAL_BYTES));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function clamp(wanted: Validity, issuer: Validity): Validity {
  return {
    notBeforeMs: Math.max(wanted.notBeforeMs, issuer.notBeforeMs),
    notAfterMs: Math.min(wanted.notAfterMs, issuer.notAfterMs),
  };
}

function authorityExtensions(spki: Uint8Array, request: AuthorityRequest): Uint8Array[] {
  return [
    keyUsageExtension(KEY_USAGE.keyCertSign | KEY_USAGE.crlSign | KEY_USAGE.digitalSignature),
    basicConstraintsExtension({ certificateAuthority: true, pathLength: request.pathLength }),
    subjectKeyIdentifierExtension(keyIdentifierOfSpki(spki)),
  ];
}

function distinguishedName(name: {
  readonly organization: string;
  readonly commonName?: string;
}): Uint8Array {
  const attribute = (oid: string, value: string): Uint8Array =>
    write.setOfOne(write.sequence(write.objectIdentifier(oid), write.utf8String(value)));
  const parts = [attribute(OID.organization, name.organization)];
  if (name.commonName !== undefined) parts.push(attribute(OID.commonName, name.commonName));
  return write.sequence(...parts);
}

function spkiOf(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey).export({ format: "der", type: "spki" }));
}

function keyIdentifierOfSpki(spki: Uint8Array): Uint8Array {
  const bits = decodeDer(spki, spki.length, (reader) => {
    const info = reader.enter(TAG.sequence, "public key");
    info.read(TAG.sequence, "public key algorithm");
    return readBitStringBytes(info, "public key bits");
  });
  if (bits.kind === "bad") throw new MeshError("INPUT_INVALID", `read public key: ${bits.why}`);
  return keyIdentifier(bits.value);
}

/** What we have just written must be readable; anything else is a fault of this library. */
function ownCertificate(der: Uint8Array): Certificate {
  const decoded = decodeCertificate(der);
  if (decoded.kind === "bad") throw new TypeError(`own certificate is malformed: ${decoded.why}`);
  return decoded.value;
}
