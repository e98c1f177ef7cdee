/** What filters remember from one configuration to the next: verified tokens, imported keys, and how full buckets are. */

import type { JwtRule } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import { KnownTokens } from "../authentication/known-tokens.ts";
import { TokenVerifier } from "../authentication/token-verifier.ts";
import { readKeySet } from "../signatures/key-set.ts";

/** Rules of all services that are kept over a change; one takes a few KiB, more than these are compiled again. */
const MAX_VERIFIERS = 1024;

export class FilterMemory {
  readonly clock: Clock;
  readonly #tokens = new KnownTokens();
  readonly #verifiers = new Map<string, TokenVerifier>();

  constructor(deps: { readonly clock: Clock }) {
    this.clock = deps.clock;
  }

  /** The same for the same rule: importing keys is slow, and the tokens it verified stay verified. */
  verifierOf(rule: JwtRule): TokenVerifier {
    const { issuer, audiences, jwks, spaceDelimitedClaims } = rule;
    const key = JSON.stringify([issuer, audiences, jwks, spaceDelimitedClaims]);
    const verifier = this.#verifiers.get(key) ?? new TokenVerifier(rule, readKeySet(jwks), this.#tokens);
    this.#verifiers.delete(key);
    this.#verifiers.set(key, verifier);
    const [oldest] = this.#verifiers.keys();
    if (this.#verifiers.size > MAX_VERIFIERS && oldest !== undefined) this.#verifiers.delete(oldest);
    return verifier;
  }
}
