/** An issuer of JSON Web Tokens for tests. */

import { createSign, generateKeyPairSync } from "node:crypto";

export const ISSUER = "https://issuer.example";
const KEY_ID = "test-key";
const HOUR_SECONDS = 3600;

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** What a RequestAuthentication takes inline. */
export const JWKS: string = JSON.stringify({
  keys: [{ ...publicKey.export({ format: "jwk" }), kid: KEY_ID, alg: "RS256", use: "sig" }],
});

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signed with RS256; of {@link ISSUER} and for an hour unless the claims say otherwise. */
export function token(claims: Readonly<Record<string, unknown>>): string {
  const exp = Math.floor(Date.now() / 1000) + HOUR_SECONDS;
  const head = part({ alg: "RS256", kid: KEY_ID, typ: "JWT" });
  const signed = `${head}.${part({ iss: ISSUER, exp, ...claims })}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
}

export const bearer = (claims: Readonly<Record<string, unknown>>): Record<string, string> => ({
  Authorization: `Bearer ${token(claims)}`,
});

/** Signed by nobody: of the form alone. */
export const unsignedToken = (claims: object): string =>
  `${part({ alg: "none" })}.${part({ iss: ISSUER, ...claims })}.`;
