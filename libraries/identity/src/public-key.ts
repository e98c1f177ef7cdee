/** Public keys that the mesh certifies: ECDSA P-256 and P-384, RSA from 2048 to 4096 bits; and the signatures made with them. */

import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { DerFault, DerReader, TAG } from "./der-reader.ts";
import { readBitStringBytes, readInteger, readObjectIdentifier } from "./der-values.ts";
import { OID } from "./object-identifiers.ts";

const MIN_RSA_BITS = 2048;
/** Verifying costs grow with the square of the size; nobody's workload key is larger. */
const MAX_RSA_BITS = 4096;
/** 65537 needs 17 bits. A huge exponent makes one verification cost seconds. */
const MAX_RSA_EXPONENT_BITS = 32;

export interface PublicKeyInfo {
  readonly algorithm: "P-256" | "P-384" | "RSA";
  /** SubjectPublicKeyInfo, whole. */
  readonly spki: Uint8Array;
  /** The key bits alone, which key identifiers are made from (RFC 5280 §4.2.1.2). */
  readonly keyBits: Uint8Array;
}

export interface SignedBytes {
  /** What the signature is over, whole element. */
  readonly body: Uint8Array;
  /** Object identifier of the signature algorithm. */
  readonly algorithm: string;
  readonly signature: Uint8Array;
}

const SIGNATURES: ReadonlyMap<string, { readonly digest: string; readonly type: "ec" | "rsa" }> = new Map([
  [OID.ecdsaWithSha256, { digest: "sha256", type: "ec" }],
  [OID.ecdsaWithSha384, { digest: "sha384", type: "ec" }],
  [OID.ecdsaWithSha512, { digest: "sha512", type: "ec" }],
  [OID.sha256WithRsa, { digest: "sha256", type: "rsa" }],
  [OID.sha384WithRsa, { digest: "sha384", type: "rsa" }],
  [OID.sha512WithRsa, { digest: "sha512", type: "rsa" }],
]);

/** Reads a SubjectPublicKeyInfo; other algorithms, curves and sizes are faults. Shapes only: the point is not yet checked. */
export function readPublicKeyInfo(reader: DerReader): PublicKeyInfo {
  const whole = reader.read(TAG.sequence, "public key");
  const info = reader.within(whole);
  const parameters = info.enter(TAG.sequence, "public key algorithm");
  const oid = readObjectIdentifier(parameters, "public key algorithm");
  if (oid === OID.ecPublicKey) {
    const curve = readObjectIdentifier(parameters, "named curve");
    parameters.end("public key algorithm");
    if (curve !== OID.p256 && curve !== OID.p384)
      throw new DerFault(`public key: curve ${curve}, expected P-256 or P-384`);
    const keyBits = readBitStringBytes(info, "public key bits");
    info.end("public key");
    return { algorithm: curve === OID.p256 ? "P-256" : "P-384", spki: whole.whole, keyBits };
  }
  if (oid !== OID.rsaEncryption)
    throw new DerFault(`public key: algorithm ${oid}, expected ECDSA P-256, P-384 or RSA`);
  parameters.optional(TAG.null, "RSA parameters");
  parameters.end("public key algorithm");
  const keyBits = readBitStringBytes(info, "public key bits");
  info.end("public key");
  checkRsaSize(keyBits);
  return { algorithm: "RSA", spki: whole.whole, keyBits };
}

/** Refuses RSA keys that are too small, or dear to verify with. */
function checkRsaSize(keyBits: Uint8Array): void {
  const outer = new DerReader(keyBits);
  const numbers = outer.enter(TAG.sequence, "RSA key");
  outer.end("RSA key");
  const modulus = bitLength(readInteger(numbers, "RSA modulus"));
  const exponent = bitLength(readInteger(numbers, "RSA exponent"));
  numbers.end("RSA key");
  if (modulus < MIN_RSA_BITS || modulus > MAX_RSA_BITS)
    throw new DerFault(`public key: RSA of ${modulus} bits, expected ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`);
  if (exponent > MAX_RSA_EXPONENT_BITS)
    throw new DerFault(
      `public key: RSA exponent of ${exponent} bits, at most ${MAX_RSA_EXPONENT_BITS} expected`,
    );
}

/** Reads AlgorithmIdentifier of a signature: ECDSA or RSA PKCS #1 v1.5 with SHA-2. SHA-1, MD5 and PSS are faults. */
export function readSignatureAlgorithm(reader: DerReader, what: string): string {
  const inner = reader.enter(TAG.sequence, what);
  const oid = readObjectIdentifier(inner, what);
  const known = SIGNATURES.get(oid);
  if (known === undefined)
    throw new DerFault(`${what}: ${oid}, expected ECDSA or RSA with SHA-256, SHA-384 or SHA-512`);
  if (known.type === "rsa") inner.optional(TAG.null, what);
  inner.end(what);
  return oid;
}

/** The key as node:crypto knows it; undefined when its numbers make no key (a point that is not on its curve). */
export function importPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch {
    return undefined; // OpenSSL's words for it help nobody; the caller names what was wrong.
  }
}

/** True when `signed` carries a signature made with the private half of `key`. */
export function signatureHolds(key: KeyObject, signed: SignedBytes): boolean {
  const algorithm = SIGNATURES.get(signed.algorithm);
  if (algorithm === undefined || algorithm.type !== key.asymmetricKeyType) return false;
  try {
    return verify(algorithm.digest, signed.body, key, signed.signature);
  } catch {
    return false; // OpenSSL throws for some malformed signatures instead of answering false.
  }
}

/** Which signature a private key of the mesh makes, as node:crypto names the digest and X.509 the algorithm. */
export function signatureAlgorithmFor(key: KeyObject): { readonly oid: string; readonly digest: string } {
  if (key.asymmetricKeyType === "rsa") return { oid: OID.sha256WithRsa, digest: "sha256" };
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? { oid: OID.ecdsaWithSha384, digest: "sha384" }
    : { oid: OID.ecdsaWithSha256, digest: "sha256" };
}

function bitLength(integer: Uint8Array): number {
  const start = integer[0] === 0 ? 1 : 0;
  const first = integer[start] ?? 0;
  if ((integer[0] ?? 0) >= 0x80) return 0;
  return (integer.length - start) * 8 - (Math.clz32(first) - 24);
}
