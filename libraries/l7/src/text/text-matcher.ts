/** One {@link TextMatch} of the configuration, made ready for many texts. */

import type { TextMatch } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { Regex, RegexCache } from "./regex.ts";
import { toLowerAscii, toWireText } from "./wire-text.ts";

/** One class for all kinds, so that a call in the data path meets a single shape. */
export class TextMatcher {
  readonly kind: TextMatch["kind"];
  readonly ignoreCase: boolean;
  /** In bytes, and in lower case where case is ignored; empty for regular expressions and `present`. */
  readonly value: string;
  readonly #regex: Regex | undefined;

  constructor(kind: TextMatch["kind"], value: string, ignoreCase: boolean, regex: Regex | undefined) {
    this.kind = kind;
    this.ignoreCase = ignoreCase;
    this.value = value;
    this.#regex = regex;
  }

  /** `text`: bytes of a head; undefined when there is none, which nothing matches. */
  matches(text: string | undefined): boolean {
    if (text === undefined) return false;
    const compared = this.ignoreCase ? toLowerAscii(text) : text;
    switch (this.kind) {
      case "exact":
        return compared === this.value;
      case "prefix":
        return compared.startsWith(this.value);
      case "suffix":
        return compared.endsWith(this.value);
      case "regex":
        return this.#regex?.matches(text) === true;
      case "present":
        return true;
      default:
        return unreachable(this.kind);
    }
  }
}

export type TextMatcherOutcome =
  | { readonly kind: "ok"; readonly matcher: TextMatcher }
  | { readonly kind: "bad"; readonly why: string };

export function compileTextMatch(match: TextMatch, regexes: RegexCache): TextMatcherOutcome {
  if (match.kind === "present")
    return { kind: "ok", matcher: new TextMatcher("present", "", false, undefined) };
  if (match.kind === "regex") {
    const compiled = regexes.compile(match.pattern);
    if (compiled.kind === "bad") return compiled;
    return { kind: "ok", matcher: new TextMatcher("regex", "", false, compiled.regex) };
  }
  const ignoreCase = match.ignoreCase === true;
  const value = toWireText(match.value);
  const matcher = new TextMatcher(
    match.kind,
    ignoreCase ? toLowerAscii(value) : value,
    ignoreCase,
    undefined,
  );
  return { kind: "ok", matcher };
}
