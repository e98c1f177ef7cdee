/** Keys and real signatures for tests. */

import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Algorithm } from "../authentication/token-text.ts";

export interface SigningKey {
  readonly algorithm: Algorithm;
  readonly keyId: string;
  /** As published. */
  readonly jwk: Readonly<Record<string, unknown>>;
  sign(data: string): Buffer;
}

const pairs = {
  RS: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
} as const;

export function newSigningKey(
  algorithm: Exclude<Algorithm, `HS${string}`>,
  keyId = `${algorithm}-key`,
): SigningKey {
  const family = algorithm.startsWith("RS") ? "RS" : algorithm.startsWith("PS") ? "PS" : algorithm;
  const { privateKey, publicKey } = pairs[family as keyof typeof pairs]();
  return {
    algorithm,
    keyId,
    jwk: { ...publicKey.export({ format: "jwk" }), kid: keyId },
    sign: (data) => signWith(algorithm, privateKey, Buffer.from(data)),
  };
}

function signWith(algorithm: Algorithm, key: KeyObject, data: Buffer): Buffer {
  const hash = algorithm === "EdDSA" ? null : `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith("PS"))
    return sign(hash, data, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
}

/** An HMAC with any bytes as its secret. */
export function secretSigningKey(secret: Uint8Array, keyId = "secret"): SigningKey {
  return {
    algorithm: "HS256",
    keyId,
    jwk: { kty: "oct", k: Buffer.from(secret).toString("base64url"), kid: keyId },
    sign: (data) => createHmac("sha256", secret).update(data).digest(),
  };
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

export function newToken(
  key: SigningKey,
  claims: unknown,
  header: Readonly<Record<string, unknown>> = { alg: key.algorithm, kid: key.keyId },
): string {
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `${signed}.${key.sign(signed).toString("base64url")}`;
}

export function keySet(...keys: readonly SigningKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}
