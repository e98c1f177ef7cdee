/** The text of a JSON Web Token, read but not believed (RFC 7515 §3.1, RFC 7519 §4.1). Refusals are in Envoy's words (reference: l7-and-cli §2.3). */

/** Signature algorithms of RFC 7518 §3.1 and RFC 8037. `none` is not one of them. */
export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "HS256",
  "HS384",
  "HS512",
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export type Claims = Readonly<Record<string, unknown>>;

export interface TokenText {
  readonly algorithm: Algorithm;
  readonly keyId: string | undefined;
  readonly claims: Claims;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
  /** Base64url of the payload, as it stands in the token. */
  readonly payload: string;
  /** What the signature is of. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export type TokenTextOutcome =
  | { readonly kind: "ok"; readonly token: TokenText }
  | { readonly kind: "bad"; readonly why: string };

/** Tokens travel in heads, which are bounded; whoever issues more than this has lists of groups in claims. */
const MAX_TOKEN_LENGTH: number = 32 * 1024;

const BAD_FORM = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
const utf8 = new TextDecoder("utf-8", { fatal: true });

export function readTokenText(text: string): TokenTextOutcome {
  const [header = "", payload = "", signature = "", ...more] =
    text.length > MAX_TOKEN_LENGTH ? [] : text.split(".", 4);
  if (header === "" || payload === "" || signature === "" || more.length > 0) return bad(BAD_FORM);
  const head = readPart(header, "header");
  if (typeof head === "string") return bad(head);
  const wrongHead = faultOfHeader(head);
  if (wrongHead !== undefined) return bad(wrongHead);
  const claims = readPart(payload, "payload");
  if (typeof claims === "string") return bad(claims);
  const wrongClaims = faultOfClaims(claims);
  if (wrongClaims !== undefined) return bad(wrongClaims);
  const signatureBytes = decodeBase64url(signature);
  if (signatureBytes === undefined) return bad("Jwt signature is an invalid Base64url encoded");
  return {
    kind: "ok",
    token: {
      algorithm: own(head, "alg") as Algorithm,
      keyId: own(head, "kid") as string | undefined,
      claims,
      issuer: own(claims, "iss") as string | undefined,
      subject: own(claims, "sub") as string | undefined,
      audiences: textsOf(own(claims, "aud")) ?? [],
      expiresAt: own(claims, "exp") as number | undefined,
      notBefore: own(claims, "nbf") as number | undefined,
      payload,
      signed: Buffer.from(text.slice(0, header.length + 1 + payload.length), "latin1"),
      signature: signatureBytes,
    },
  };
}

/** Undefined for what only looks like base64url: Node's decoder skips what it does not know. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1 || !/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  return Buffer.from(text, "base64url");
}

/** A text is what is wrong. */
function readPart(part: string, name: "header" | "payload"): Claims | string {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) return `Jwt ${name} is an invalid Base64url encoded`;
  const value = parseJson(bytes);
  return isObject(value) ? value : `Jwt ${name} is an invalid JSON`;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function faultOfHeader(header: Claims): string | undefined {
  const algorithm = own(header, "alg");
  if (typeof algorithm !== "string") return "Jwt header [alg] field is required and must be a string";
  if (!ALGORITHMS.some((known) => known === algorithm)) return "Jwt header [alg] is not supported";
  const keyId = own(header, "kid");
  if (keyId !== undefined && typeof keyId !== "string") return "Jwt header [kid] field is not a string";
  // Extensions that must be understood, and none is (RFC 7515 §4.1.11).
  return own(header, "crit") === undefined ? undefined : "Jwt header [crit] is not supported";
}

function faultOfClaims(claims: Claims): string | undefined {
  for (const name of ["iss", "sub", "jti"] as const) {
    const value = own(claims, name);
    if (value !== undefined && typeof value !== "string")
      return `Jwt payload [${name}] field is not a string`;
  }
  for (const name of ["iat", "nbf", "exp"] as const) {
    const value = own(claims, name);
    if (value === undefined) continue;
    if (typeof value !== "number") return `Jwt payload [${name}] field is not an integer`;
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
      return `Jwt payload [${name}] field is not a positive 64 bit integer`;
  }
  const audience = own(claims, "aud");
  const isBad = audience !== undefined && textsOf(audience) === undefined;
  return isBad ? "Jwt payload [aud] field is not a string or string list" : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return [value];
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}

function own(object: Claims, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function bad(why: string): TokenTextOutcome {
  return { kind: "bad", why };
}
