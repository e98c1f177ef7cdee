/** One {@link PathMatch} of the configuration, made ready for many requests. */

import type { PathMatch } from "@meltemi/model/l7";
import { literalPrefix, type RegexCache } from "../text/regex.ts";
import { compileTextMatch, type TextMatcher } from "../text/text-matcher.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** Under what a path is looked up; all that match are found there, and more: whoever looks must ask {@link PathMatcher.matches}. */
export interface PathKey {
  readonly kind: "exact" | "prefix";
  readonly text: string;
  /** `text` is in lower case, to be compared with the path in lower case. */
  readonly ignoreCase: boolean;
}

export class PathMatcher {
  readonly key: PathKey;
  readonly #text: TextMatcher;
  /** Whole elements only. */
  readonly #elements: boolean;

  constructor(key: PathKey, text: TextMatcher, elements: boolean) {
    this.key = key;
    this.#text = text;
    this.#elements = elements;
  }

  matches(request: RoutedRequest): boolean {
    const { path } = request;
    if (!this.#elements)
      return this.#text.matches(
        this.#text.ignoreCase && this.#text.kind !== "regex" ? request.lowerPath : path,
      );
    const prefix = this.#text.value;
    if (!path.startsWith(prefix)) return false;
    // The value `/` is the empty list of elements, and begins every path.
    return path.length === prefix.length || prefix === "" || path.charCodeAt(prefix.length) === 0x2f;
  }

  /** Length of what a prefix match matched; undefined for other kinds of match. */
  get prefixLength(): number | undefined {
    return this.#elements || this.#text.kind === "prefix" ? this.#text.value.length : undefined;
  }

  /** Gateway API's prefixes join with one slash, VirtualService's are replaced letter by letter. */
  get isElements(): boolean {
    return this.#elements;
  }
}

export type PathMatcherOutcome =
  | { readonly kind: "ok"; readonly matcher: PathMatcher }
  | { readonly kind: "bad"; readonly why: string };

export function compilePathMatch(match: PathMatch, regexes: RegexCache): PathMatcherOutcome {
  if (match.kind === "elements") return elementsMatcher(match.value, regexes);
  const compiled = compileTextMatch(match, regexes);
  if (compiled.kind === "bad") return compiled;
  const text = compiled.matcher;
  const key: PathKey =
    match.kind === "regex"
      ? { kind: "prefix", text: literalPrefix(match.pattern), ignoreCase: false }
      : { kind: match.kind, text: text.value, ignoreCase: text.ignoreCase };
  return { kind: "ok", matcher: new PathMatcher(key, text, false) };
}

function elementsMatcher(value: string, regexes: RegexCache): PathMatcherOutcome {
  let end = value.length;
  while (end > 0 && value.charCodeAt(end - 1) === 0x2f) end--;
  const compiled = compileTextMatch({ kind: "prefix", value: value.slice(0, end) }, regexes);
  if (compiled.kind === "bad") return compiled;
  const text: TextMatcher = compiled.matcher;
  const key: PathKey = { kind: "prefix", text: text.value, ignoreCase: false };
  return { kind: "ok", matcher: new PathMatcher(key, text, true) };
}
