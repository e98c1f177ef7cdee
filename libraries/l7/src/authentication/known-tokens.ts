/** Tokens that were verified, by their text: a token comes with hundreds of requests, its signature is checked for the first. */

import type { VerifiedToken } from "../request-context.ts";
import type { TokenText } from "./token-text.ts";
import type { TokenVerifier } from "./token-verifier.ts";

export interface KnownToken {
  readonly text: TokenText;
  /** Verified by these; most tokens are of one issuer, and so of one verifier. */
  readonly by: { readonly verifier: TokenVerifier; readonly token: VerifiedToken }[];
}

/** Of texts, in each of two generations; what is parsed of them takes some five times as much. */
const MAX_CHARACTERS: number = 4 * 1024 * 1024;
/** A token is verified again when more rules than this take it: configurations come and go, their verifiers must too. */
const MAX_VERIFIERS_PER_TOKEN = 4;

/**
 * Two generations: a full one becomes the old one, and what is used of it moves to the new. Keeping tokens in the order of their
 * use took longer than finding them.
 */
export class KnownTokens {
  #young = new Map<string, KnownToken>();
  #old = new Map<string, KnownToken>();
  #characters = 0;

  find(text: string): KnownToken | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.#keep(text, old);
    return old;
  }

  /** Only what was verified is ever added: noise cannot push it out. */
  add(text: string, parsed: TokenText, by: KnownToken["by"][number]): void {
    const known = this.find(text);
    if (known === undefined) this.#keep(text, { text: parsed, by: [by] });
    else if (known.by.push(by) > MAX_VERIFIERS_PER_TOKEN) known.by.shift();
  }

  #keep(text: string, known: KnownToken): void {
    if (this.#characters + text.length > MAX_CHARACTERS) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#characters = 0;
    }
    // A copy: the text is a slice, and would keep the whole head that it came in.
    this.#young.set(Buffer.from(text, "latin1").toString("latin1"), known);
    this.#characters += text.length;
  }
}
