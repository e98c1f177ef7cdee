/** What becomes of a path on its way on, or in a redirect (reference: l7-and-cli §2.4, §2.6). */

import type { PathRewrite } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import { parseSubstitution, type Regex, type RegexCache, type Substitution } from "../text/regex.ts";
import { toWireText } from "../text/wire-text.ts";
import { querySuffix, withoutQuery } from "./query.ts";

export type CompiledPathRewrite =
  | { readonly kind: "full"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly regex: Regex; readonly substitution: Substitution }
  /** Told as a problem when it was compiled; requests that need it are refused. */
  | { readonly kind: "broken" };

/** What the match that won says of the path. */
export interface MatchedPrefix {
  readonly length: number;
  /** Whole elements: joined with exactly one slash. */
  readonly elements: boolean;
}

export function compilePathRewrite(
  rewrite: PathRewrite,
  regexes: RegexCache,
  problem: (what: string) => void,
): CompiledPathRewrite {
  if (rewrite.kind !== "regex") {
    const value = toWireText(rewrite.value);
    if (isPathText(value)) return { kind: rewrite.kind, value };
    problem(
      `rewrite path to ${JSON.stringify(value.slice(0, 100))}: spaces and control characters are not of a path`,
    );
    return { kind: "broken" };
  }
  const compiled = regexes.compile(rewrite.pattern);
  if (compiled.kind === "bad") {
    problem(compiled.why);
    return { kind: "broken" };
  }
  const substitution = parseSubstitution(toWireText(rewrite.substitution), compiled.regex.groups);
  if (substitution !== undefined && isPathText(substitution.join("")))
    return { kind: "regex", regex: compiled.regex, substitution };
  problem(
    `rewrite path by ${JSON.stringify(rewrite.substitution.slice(0, 100))}: expected text of a path, \\0 to \\${compiled.regex.groups}, and \\\\`,
  );
  return { kind: "broken" };
}

/** What would end a request line, or a field, early must not come from configuration either. */
function isPathText(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code === 0x7f) return false;
  }
  return true;
}

/**
 * The new path with its query: the old one, unless the rewrite brings one. `prefix` is what the match that won matched; undefined
 * where it was no prefix match. Undefined: the rewrite is broken, or the result is no path, or too long for one.
 */
export function rewritePath(
  rewrite: CompiledPathRewrite,
  target: string,
  prefix: MatchedPrefix | undefined,
): string | undefined {
  const path = withoutQuery(target);
  const rewritten = rewriteBare(rewrite, path, prefix);
  if (rewritten === undefined) return undefined;
  // A path without a slash in front would change what the host is for the next reader.
  const rooted = rewritten.startsWith("/") ? rewritten : `/${rewritten}`;
  return rooted.includes("?") ? rooted : rooted + querySuffix(target);
}

function rewriteBare(
  rewrite: CompiledPathRewrite,
  path: string,
  prefix: MatchedPrefix | undefined,
): string | undefined {
  switch (rewrite.kind) {
    case "full":
      return rewrite.value;
    case "prefix":
      return replacePrefix(rewrite.value, path, prefix);
    case "regex":
      return rewrite.regex.replaceAll(path, rewrite.substitution);
    case "broken":
      return undefined;
    default:
      return unreachable(rewrite);
  }
}

/**
 * Gateway API's ReplacePrefixMatch joins elements: slashes at the seam neither double nor vanish. VirtualService's `uri` replaces
 * letter by letter, as in Envoy: `/foo` by `/` turns `/foo/bar` into `//bar`.
 */
function replacePrefix(value: string, path: string, prefix: MatchedPrefix | undefined): string {
  if (prefix === undefined) return value;
  const rest = path.slice(prefix.length);
  if (!prefix.elements) return value + rest;
  const base = value.endsWith("/") ? value.slice(0, -1) : value;
  return rest === "" || rest.startsWith("/") ? base + rest : `${base}/${rest}`;
}
