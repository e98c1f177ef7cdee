/** One {@link RequestMatch} of a route, made ready for many requests. */

import type { NamedMatch, RequestMatch, SourceMatch, TextMatch } from "@meltemi/model/l7";
import type { RegexCache } from "../text/regex.ts";
import { compileTextMatch, type TextMatcher } from "../text/text-matcher.ts";
import { toWireText } from "../text/wire-text.ts";
import { compilePathMatch, type PathMatcher } from "./path-matcher.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { sourceMatches } from "./source-match.ts";

export interface NamedMatcher {
  readonly name: string;
  readonly matcher: TextMatcher;
  readonly invert: boolean;
  /** What must not match is compared as empty text where it is absent (Istio's `withoutHeaders`); `present` is not. */
  readonly matchesAbsent: boolean;
}

export class RequestMatcher {
  readonly path: PathMatcher | undefined;
  readonly method: TextMatcher | undefined;
  readonly scheme: TextMatcher | undefined;
  readonly authority: TextMatcher | undefined;
  readonly headers: readonly NamedMatcher[];
  readonly queryParams: readonly NamedMatcher[];
  readonly source: SourceMatch | undefined;

  constructor(parts: Omit<RequestMatcher, "matches">) {
    this.path = parts.path;
    this.method = parts.method;
    this.scheme = parts.scheme;
    this.authority = parts.authority;
    this.headers = parts.headers;
    this.queryParams = parts.queryParams;
    this.source = parts.source;
  }

  /** Cheapest conditions first. */
  matches(request: RoutedRequest): boolean {
    if (this.path !== undefined && !this.path.matches(request)) return false;
    if (this.method !== undefined && !this.method.matches(request.method)) return false;
    if (this.scheme !== undefined && !this.scheme.matches(request.scheme)) return false;
    if (this.authority !== undefined && !authorityMatches(this.authority, request)) return false;
    if (this.source !== undefined && !sourceMatches(this.source, request.caller)) return false;
    for (const header of this.headers)
      if (namedMatches(header, request.header(header.name)) === header.invert) return false;
    for (const parameter of this.queryParams)
      if (namedMatches(parameter, request.queryParameter(parameter.name)) === parameter.invert) return false;
    return true;
  }
}

function namedMatches(named: NamedMatcher, value: string | undefined): boolean {
  return value === undefined ? named.matchesAbsent : named.matcher.matches(value);
}

/** Names of hosts have no case (RFC 9110 §4.2.3); a regular expression says itself what it means. The port, if sent, is compared too. */
function authorityMatches(matcher: TextMatcher, request: RoutedRequest): boolean {
  return matcher.matches(matcher.kind === "regex" ? request.authority : request.lowerAuthority);
}

/** Undefined: a part of it is broken, and nothing may match: half a match would catch requests that were not meant. */
export function compileRequestMatch(
  match: RequestMatch,
  regexes: RegexCache,
  problem: (what: string) => void,
): RequestMatcher | undefined {
  let isSound = true;
  const refuse = (what: string): void => {
    isSound = false;
    problem(what);
  };
  const text = (given: TextMatch | undefined): TextMatcher | undefined => {
    if (given === undefined) return undefined;
    const compiled = compileTextMatch(given, regexes);
    if (compiled.kind === "ok") return compiled.matcher;
    refuse(compiled.why);
    return undefined;
  };
  const named = ({ name, match: value, invert }: NamedMatch): NamedMatcher[] => {
    const matcher = text(value);
    if (matcher === undefined) return [];
    const matchesAbsent = invert && value.kind !== "present" && matcher.matches("");
    return [{ name, matcher, invert, matchesAbsent }];
  };
  const path = match.path === undefined ? undefined : compilePathMatch(match.path, regexes);
  if (path?.kind === "bad") refuse(path.why);
  const matcher = new RequestMatcher({
    path: path?.kind === "ok" ? path.matcher : undefined,
    method: text(match.method),
    scheme: text(match.scheme),
    authority: text(withoutCase(match.authority)),
    headers: match.headers.flatMap((header) => named({ ...header, name: header.name.toLowerCase() })),
    queryParams: match.queryParams.flatMap((parameter) => {
      if (/[=&]/.test(parameter.name))
        refuse(`match query parameter ${JSON.stringify(parameter.name.slice(0, 100))}: no name has = or &`);
      return named({ ...parameter, name: toWireText(parameter.name) });
    }),
    source: match.source,
  });
  return isSound ? matcher : undefined;
}

function withoutCase(match: TextMatch | undefined): TextMatch | undefined {
  if (match === undefined || match.kind === "regex" || match.kind === "present") return match;
  return { ...match, ignoreCase: true };
}
