/** Whether a token is good for one rule of a RequestAuthentication (reference: l7-and-cli §2.3). */

import type { JwtRule } from "@meltemi/model/l7";
import type { VerifiedToken } from "../request-context.ts";
import type { KeySetOutcome } from "../signatures/key-set.ts";
import type { KnownTokens } from "./known-tokens.ts";
import { readTokenText, type TokenText } from "./token-text.ts";

/** Whose clocks differ by less than this agree; Envoy's default. */
const CLOCK_SKEW_SECONDS = 60;

export const UNKNOWN_ISSUER = "Jwt issuer is not configured";
export const WRONG_AUDIENCE = "Audiences in Jwt are not allowed";

export type Verification =
  | { readonly kind: "verified"; readonly token: VerifiedToken; readonly payload: string }
  | { readonly kind: "refused"; readonly why: string };

export class TokenVerifier {
  readonly #issuer: string;
  readonly #audiences: readonly string[];
  readonly #spaceDelimitedClaims: readonly string[];
  readonly #keys: KeySetOutcome;
  readonly #known: KnownTokens;

  constructor(rule: JwtRule, keys: KeySetOutcome, known: KnownTokens) {
    this.#issuer = rule.issuer;
    this.#audiences = rule.audiences;
    this.#spaceDelimitedClaims = ["scope", "permission", ...rule.spaceDelimitedClaims];
    this.#keys = keys;
    this.#known = known;
  }

  /** What is wrong with the keys themselves: then every token is refused. */
  get problem(): string | undefined {
    return this.#keys.kind === "bad" ? this.#keys.why : undefined;
  }

  verify(text: string, nowMs: number): Verification {
    const known = this.#known.find(text);
    if (known !== undefined) {
      const why = this.#faultOfClaims(known.text, nowMs);
      if (why !== undefined) return { kind: "refused", why };
      const { payload } = known.text;
      for (const { verifier, token } of known.by)
        if (verifier === this) return { kind: "verified", token, payload };
    }
    const read = known === undefined ? readTokenText(text) : ({ kind: "ok", token: known.text } as const);
    if (read.kind === "bad") return { kind: "refused", why: read.why };
    return this.#verifyAfresh(text, read.token, nowMs);
  }

  #verifyAfresh(text: string, parsed: TokenText, nowMs: number): Verification {
    const why = this.#faultOfClaims(parsed, nowMs) ?? this.#faultOfSignature(parsed);
    if (why !== undefined) return { kind: "refused", why };
    const token: VerifiedToken = {
      issuer: parsed.issuer ?? "",
      subject: parsed.subject,
      audiences: parsed.audiences,
      claims: parsed.claims,
      spaceDelimitedClaims: this.#spaceDelimitedClaims,
    };
    this.#known.add(text, parsed, { verifier: this, token });
    return { kind: "verified", token, payload: parsed.payload };
  }

  #faultOfClaims({ issuer, audiences, expiresAt, notBefore }: TokenText, nowMs: number): string | undefined {
    if (issuer !== this.#issuer) return UNKNOWN_ISSUER;
    const now = nowMs / 1000;
    if (notBefore !== undefined && now + CLOCK_SKEW_SECONDS < notBefore) return "Jwt not yet valid";
    if (expiresAt !== undefined && now > expiresAt + CLOCK_SKEW_SECONDS) return "Jwt is expired";
    if (this.#audiences.length === 0) return undefined;
    return audiences.some((one) => this.#audiences.includes(one)) ? undefined : WRONG_AUDIENCE;
  }

  #faultOfSignature(token: TokenText): string | undefined {
    return this.#keys.kind === "bad" ? this.#keys.why : this.#keys.keys.faultOf(token);
  }
}
