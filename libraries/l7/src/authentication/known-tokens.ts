/** Tokens that were verified, by their text: a token comes with hundreds of requests, its signature is checked for the first. */

import type { VerifiedToken } from "../request-context.ts";
import type { TokenText } from "./token-text.ts";
import type { TokenVerifier } from "./token-verifier.ts";

export interface KnownToken {
  readonly text: TokenText;
  /** Verified by these; most tokens are of one issuer, and so of one verifier. */
  readonly by: { readonly verifier: TokenVerifier; readonly token: VerifiedToken }[];
}

/** Of texts; what is parsed of them takes some five times as much. */
const MAX_CHARACTERS: number = 8 * 1024 * 1024;
/** A token is verified again when more rules than this take it: configurations come and go, their verifiers must too. */
const MAX_VERIFIERS_PER_TOKEN = 4;

export class KnownTokens {
  /** The last used at the end. */
  readonly #known = new Map<string, KnownToken>();
  #characters = 0;

  find(text: string): KnownToken | undefined {
    const known = this.#known.get(text);
    if (known === undefined) return undefined;
    this.#known.delete(text);
    this.#known.set(text, known);
    return known;
  }

  /** Only what was verified is ever added: noise cannot push it out. */
  add(text: string, parsed: TokenText, by: KnownToken["by"][number]): void {
    const known = this.#known.get(text);
    if (known !== undefined) {
      if (known.by.push(by) > MAX_VERIFIERS_PER_TOKEN) known.by.shift();
      return;
    }
    // A copy: the text is a slice, and would keep the whole head that it came in.
    this.#known.set(Buffer.from(text, "latin1").toString("latin1"), { text: parsed, by: [by] });
    this.#characters += text.length;
    while (this.#characters > MAX_CHARACTERS) {
      const [oldest] = this.#known.keys();
      if (oldest === undefined) return;
      this.#known.delete(oldest);
      this.#characters -= oldest.length;
    }
  }
}
