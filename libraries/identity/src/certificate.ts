/**
 * Reads X.509 certificates (RFC 5280) from their DER. Node gives subject alternative names as one string with commas and
 * quotes in it, which a hostile name can forge; this reads the names themselves.
 */

import { createHash } from "node:crypto";
import {
  contextPrimitiveTag,
  contextTag,
  type Decoded,
  DerFault,
  type DerReader,
  decodeDer,
  TAG,
} from "./der-reader.ts";
import {
  readBitStringBytes,
  readObjectIdentifier,
  readSerialNumber,
  readSmallInteger,
  readTime,
} from "./der-values.ts";
import {
  type BasicConstraints,
  CERTIFICATE_EXTENSIONS_TAG,
  type Extension,
  KEY_USAGE,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltNames,
  readSubjectKeyIdentifier,
  type SubjectAltNames,
} from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { readPem } from "./pem.ts";
import { importPublicKey, type SignedBytes, signatureHolds } from "./public-key.ts";

/** A workload's certificate is under 1 KiB, a CA's with an RSA-4096 key about 2 KiB. */
const MAX_CERTIFICATE_BYTES = 32 * 1024;
/** Leaf to root; public CAs use four at most. */
const MAX_CHAIN_LENGTH = 8;

export interface Certificate {
  readonly der: Uint8Array;
  /** Upper-case hexadecimal of its bytes, without the zero that DER puts before a high bit. */
  readonly serialNumber: string;
  /** Names in DER: equal bytes, equal name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKeySpki: Uint8Array;
  readonly subjectKeyIdentifier: Uint8Array;
  readonly names: SubjectAltNames;
  readonly basicConstraints: BasicConstraints;
  /** Bits of KEY_USAGE; undefined when not limited. */
  readonly keyUsage: number | undefined;
  /** Object identifiers; undefined when not limited. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly signed: SignedBytes;
}

/** Structure alone: signatures, dates and issuers are judged by {@link verifyChain} or by TLS. */
export function decodeCertificate(der: Uint8Array): Decoded<Certificate> {
  return decodeDer(der, MAX_CERTIFICATE_BYTES, (reader) => {
    const outer = reader.enter(TAG.sequence, "certificate");
    const body = outer.read(TAG.sequence, "certificate body");
    const algorithm = readAnyAlgorithm(outer, "signature algorithm");
    const signature = readBitStringBytes(outer, "signature");
    outer.end("certificate");
    return readBody(outer.within(body), { body: body.whole, algorithm, signature }, der);
  });
}

/** Every CERTIFICATE block of a PEM text, in order. */
export function decodeCertificates(pem: string): Decoded<readonly Certificate[]> {
  const blocks = readPem(pem, "CERTIFICATE");
  if (blocks.kind === "bad") return blocks;
  const certificates: Certificate[] = [];
  for (const [index, der] of blocks.value.entries()) {
    const certificate = decodeCertificate(der);
    if (certificate.kind === "bad")
      return { kind: "bad", why: `certificate ${index + 1} of ${blocks.value.length}: ${certificate.why}` };
    certificates.push(certificate.value);
  }
  return { kind: "ok", value: certificates };
}

/** True when the private half of the issuer's key signed this certificate, and the names meet. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (Buffer.compare(certificate.issuer, issuer.subject) !== 0) return false;
  const key = importPublicKey(issuer.publicKeySpki);
  return key !== undefined && signatureHolds(key, certificate.signed);
}

/**
 * Follows `chain` (leaf first, each issued by the next) to one of `roots`: signatures, CA flags, path lengths and dates.
 * Gives why it fails, or undefined when it holds.
 */
export function verifyChain(
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  nowMs: number,
): string | undefined {
  const last = chain.at(-1);
  if (last === undefined) return "chain is empty";
  if (chain.length > MAX_CHAIN_LENGTH)
    return `chain of ${chain.length}, at most ${MAX_CHAIN_LENGTH} expected`;
  const root = roots.find((one) => Buffer.compare(one.der, last.der) === 0 || isIssuedBy(last, one));
  if (root === undefined) return "chain ends at no trusted root";
  const path = Buffer.compare(root.der, last.der) === 0 ? chain : [...chain, root];
  for (const [index, certificate] of path.entries()) {
    const where = index === 0 ? "leaf" : `certificate ${index} above the leaf`;
    if (nowMs < certificate.notBeforeMs)
      return `${where}: not valid before ${isoTime(certificate.notBeforeMs)}`;
    if (nowMs > certificate.notAfterMs) return `${where}: expired at ${isoTime(certificate.notAfterMs)}`;
    if (index === 0) continue;
    const fault = issuingFault(certificate, index - 1);
    if (fault !== undefined) return `${where}: ${fault}`;
    const below = path[index - 1];
    if (below !== undefined && !isIssuedBy(below, certificate))
      return `${where}: did not issue the one below`;
  }
  return undefined;
}

/** Why this certificate may not issue others, `below` CA certificates lying between it and the leaf; undefined when it may. */
export function issuingFault(certificate: Certificate, below: number): string | undefined {
  const { certificateAuthority, pathLength } = certificate.basicConstraints;
  if (!certificateAuthority) return "not a certificate authority (basicConstraints CA is false)";
  if (certificate.keyUsage !== undefined && (certificate.keyUsage & KEY_USAGE.keyCertSign) === 0)
    return "key usage does not allow signing certificates (keyCertSign)";
  if (pathLength !== undefined && below > pathLength)
    return `path length ${pathLength}, but ${below} CAs are below`;
  return undefined;
}

/** Key identifier of a public key: SHA-256 cut to 160 bits (RFC 7093 §2, method 1). */
export function keyIdentifier(keyBits: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(keyBits).digest().subarray(0, 20));
}

/** RFC 3339 in whole seconds. */
export function isoTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

function readBody(body: DerReader, signed: SignedBytes, der: Uint8Array): Certificate {
  const version = body.optional(contextTag(0), "version");
  if (version === undefined) throw new DerFault("version: expected 3");
  const versionReader = body.within(version);
  if (readSmallInteger(versionReader, "version") !== 2) throw new DerFault("version: expected 3");
  versionReader.end("version");
  const serialNumber = readSerialNumber(body, "serial number");
  if (readAnyAlgorithm(body, "inner signature algorithm") !== signed.algorithm)
    throw new DerFault("signature algorithm: differs inside and outside");
  const issuer = body.read(TAG.sequence, "issuer").whole;
  const validity = body.enter(TAG.sequence, "validity");
  const notBeforeMs = readTime(validity, "notBefore");
  const notAfterMs = readTime(validity, "notAfter");
  validity.end("validity");
  const subject = body.read(TAG.sequence, "subject").whole;
  const key = body.read(TAG.sequence, "public key");
  const extensions = readTail(body);
  return {
    der,
    serialNumber,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    publicKeySpki: key.whole,
    subjectKeyIdentifier:
      readSubjectKeyIdentifier(extensions.get(OID.subjectKeyIdentifier)) ?? keyIdentifierOf(body.within(key)),
    names: readSubjectAltNames(extensions.get(OID.subjectAltName)),
    basicConstraints: readBasicConstraints(extensions.get(OID.basicConstraints)),
    keyUsage: readKeyUsage(extensions.get(OID.keyUsage)),
    extendedKeyUsage: readExtendedKeyUsage(extensions.get(OID.extendedKeyUsage)),
    signed,
  };
}

/** Unique identifiers (obsolete, passed over) and extensions. */
function readTail(body: DerReader): ReadonlyMap<string, Extension> {
  body.optional(contextPrimitiveTag(1), "issuer unique id");
  body.optional(contextPrimitiveTag(2), "subject unique id");
  const wrapped = body.optional(CERTIFICATE_EXTENSIONS_TAG, "extensions");
  body.end("certificate body");
  if (wrapped === undefined) return new Map();
  const outer = body.within(wrapped);
  const found = readExtensions(outer.enter(TAG.sequence, "extensions"));
  outer.end("extensions");
  return found;
}

function keyIdentifierOf(key: DerReader): Uint8Array {
  key.read(TAG.sequence, "public key algorithm");
  return keyIdentifier(readBitStringBytes(key, "public key bits"));
}

/** Any algorithm: peers may use ones that we do not issue with, and TLS has judged them. */
function readAnyAlgorithm(reader: DerReader, what: string): string {
  return readObjectIdentifier(reader.enter(TAG.sequence, what), what);
}
