/** Service-account tokens: JSON Web Tokens (RFC 7519) signed with one key of the cluster, RS256 or ES256. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { MeshError } from "@meltemi/runtime";
import { isObject, type JsonObject } from "../json.ts";

export interface TokenSigner {
  /** A signed token with these claims. */
  sign(claims: JsonObject): string;
  /** The claims, when the signature is ours; undefined for anything else. Times are not judged here. */
  verify(token: string): JsonObject | undefined;
  /** The public key as a JWK, for the JWKS document. */
  readonly jwk: JsonObject;
}

/** Tokens come in a header; a longer one is none of ours. */
const MAX_TOKEN_LENGTH = 16 * 1024;

interface Algorithm {
  readonly name: "RS256" | "ES256";
  readonly dsaEncoding: "ieee-p1363" | "der";
}

/** @throws MeshError CONFIG_INVALID for a key that is neither RSA nor P-256 */
export function createTokenSigner(privateKeyPem: string): TokenSigner {
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(privateKey);
  const algorithm = algorithmOf(publicKey);
  const jwk = publicKey.export({ format: "jwk" }) as unknown as JsonObject;
  const keyId = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
  const header = encode({ alg: algorithm.name, kid: keyId });

  return {
    jwk: { ...jwk, use: "sig", alg: algorithm.name, kid: keyId },
    sign(claims) {
      const input = `${header}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(input), {
        key: privateKey,
        dsaEncoding: algorithm.dsaEncoding,
      });
      return `${input}.${signature.toString("base64url")}`;
    },
    verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined;
      const [head, body, signature, ...more] = token.split(".");
      if (head === undefined || body === undefined || signature === undefined || more.length > 0)
        return undefined;
      // Only our own algorithm: a token never chooses how it is checked.
      if (decode(head)?.["alg"] !== algorithm.name) return undefined;
      const key = { key: publicKey, dsaEncoding: algorithm.dsaEncoding };
      const valid = verify(
        "sha256",
        Buffer.from(`${head}.${body}`),
        key,
        Buffer.from(signature, "base64url"),
      );
      return valid ? decode(body) : undefined;
    },
  };
}

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === "rsa") return { name: "RS256", dsaEncoding: "der" };
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1")
    return { name: "ES256", dsaEncoding: "ieee-p1363" };
  throw new MeshError(
    "CONFIG_INVALID",
    `service-account signing key: expected RSA or EC P-256, got ${key.asymmetricKeyType ?? "an unknown type"}`,
  );
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    // No JSON: not a token.
    return undefined;
  }
}
