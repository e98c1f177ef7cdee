/** Keys that tokens are verified with: a JSON Web Key Set, imported once (RFC 7517, RFC 7518, RFC 8037). */

import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { type Algorithm, type Claims, decodeBase64url } from "../authentication/token-text.ts";

/** Undefined: the signature is right; else why not, in Envoy's words. */
export interface KeySet {
  faultOf(token: SignedToken): string | undefined;
}

export interface SignedToken {
  readonly algorithm: Algorithm;
  readonly keyId: string | undefined;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export type KeySetOutcome =
  | { readonly kind: "ok"; readonly keys: KeySet }
  | { readonly kind: "bad"; readonly why: string };

interface Key {
  readonly keyId: string | undefined;
  /** What this key may be used for: a public key never verifies an HMAC. */
  readonly algorithms: readonly Algorithm[];
  readonly key: KeyObject;
}

/** Issuers publish two to ten. */
const MAX_KEYS = 100;
/** A token without `kid` is tried with every key that fits; each try takes some 50 µs. */
const MAX_TRIES = 10;
/** RFC 7518 §3.3; beyond the upper one a token costs milliseconds. */
const RSA_BITS = { min: 2048, max: 8192 } as const;

const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
const EC_ALGORITHMS: ReadonlyMap<unknown, Algorithm> = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
]);
/** The least length of a secret in bytes: that of the hash (RFC 7518 §3.2). */
const HMAC_BYTES = { HS256: 32, HS384: 48, HS512: 64 } as const;

export function readKeySet(text: string): KeySetOutcome {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { kind: "bad", why: "Jwks is an invalid JSON" };
  }
  if (typeof parsed !== "object" || parsed === null || !Object.hasOwn(parsed, "keys"))
    return { kind: "bad", why: "Jwks does not have [keys] field" };
  const { keys } = parsed as { readonly keys: unknown };
  if (!Array.isArray(keys)) return { kind: "bad", why: "[keys] in Jwks is not an array" };
  const usable = keys.slice(0, MAX_KEYS).flatMap((key: unknown) => readKey(key) ?? []);
  if (usable.length === 0 && keys.length > 0)
    return { kind: "bad", why: "Jwks doesn't have any valid public key" };
  return { kind: "ok", keys: { faultOf: (token) => faultOf(token, usable) } };
}

function faultOf(token: SignedToken, keys: readonly Key[]): string | undefined {
  let tries = 0;
  for (const { keyId, algorithms, key } of keys) {
    if (token.keyId !== undefined && keyId !== undefined && keyId !== token.keyId) continue;
    if (!algorithms.includes(token.algorithm)) continue;
    if (isSignedBy(key, token)) return undefined;
    if (++tries === MAX_TRIES) break;
  }
  return tries === 0 ? "Jwks doesn't have key to match kid or alg from Jwt" : "Jwt verification fails";
}

function isSignedBy(key: KeyObject, { algorithm, signed, signature }: SignedToken): boolean {
  const hash = algorithm === "EdDSA" ? null : `sha${algorithm.slice(2)}`;
  try {
    switch (algorithm) {
      case "HS256":
      case "HS384":
      case "HS512": {
        const expected = createHmac(hash ?? "", key)
          .update(signed)
          .digest();
        return signature.length === expected.length && timingSafeEqual(signature, expected);
      }
      case "PS256":
      case "PS384":
      case "PS512": {
        const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        return verify(hash, signed, { key, padding, saltLength }, signature);
      }
      case "ES256":
      case "ES384":
      case "ES512":
        return verify(hash, signed, { key, dsaEncoding: "ieee-p1363" }, signature);
      case "RS256":
      case "RS384":
      case "RS512":
      case "EdDSA":
        return verify(hash, signed, key, signature);
    }
  } catch {
    // OpenSSL throws at some malformed signatures; a signature that cannot be read is not right.
    return false;
  }
}

/** Undefined: a key of another purpose, of a kind that is not known, or one that is too weak. */
function readKey(value: unknown): Key | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const jwk = value as Claims;
  const keyId = jwk["kid"];
  const { use, key_ops: operations, alg } = jwk;
  if (keyId !== undefined && typeof keyId !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined;
  const material = readMaterial(jwk);
  if (material === undefined) return undefined;
  const algorithms =
    alg === undefined ? material.algorithms : material.algorithms.filter((one) => one === alg);
  return algorithms.length === 0 ? undefined : { keyId, algorithms, key: material.key };
}

function readMaterial(jwk: Claims): Pick<Key, "algorithms" | "key"> | undefined {
  const { kty, crv, n, e, x, y, k } = jwk;
  try {
    if (kty === "oct") return secretKey(k);
    if (kty === "RSA") {
      const key = createPublicKey({ key: { kty, n, e }, format: "jwk" } as never);
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      return bits < RSA_BITS.min || bits > RSA_BITS.max ? undefined : { algorithms: RSA_ALGORITHMS, key };
    }
    if (kty === "EC") {
      const algorithm = EC_ALGORITHMS.get(crv);
      if (algorithm === undefined) return undefined;
      const key = createPublicKey({ key: { kty, crv, x, y }, format: "jwk" } as never);
      return { algorithms: [algorithm], key };
    }
    if (kty !== "OKP" || crv !== "Ed25519") return undefined;
    return {
      algorithms: ["EdDSA"],
      key: createPublicKey({ key: { kty, crv, x }, format: "jwk" } as never),
    };
  } catch {
    // Whatever OpenSSL says of it: it is no key.
    return undefined;
  }
}

function secretKey(k: unknown): Pick<Key, "algorithms" | "key"> | undefined {
  const bytes = typeof k === "string" ? decodeBase64url(k) : undefined;
  if (bytes === undefined) return undefined;
  const algorithms = (["HS256", "HS384", "HS512"] as const).filter((one) => bytes.length >= HMAC_BYTES[one]);
  return { algorithms, key: createSecretKey(bytes) };
}
