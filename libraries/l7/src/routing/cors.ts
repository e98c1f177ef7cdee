/** Cross-origin requests, as Envoy's filter answers them (reference: l7-and-cli §2.4 `corsPolicy`). */

import type { HeaderFields, RequestHead } from "@meltemi/http";
import type { CorsPolicy } from "@meltemi/model/l7";
import type { LocalReply } from "../request-context.ts";
import type { RegexCache } from "../text/regex.ts";
import { compileTextMatch, type TextMatcher } from "../text/text-matcher.ts";
import { toWireText } from "../text/wire-text.ts";
import { isFieldValue } from "./header-edit.ts";

export interface CompiledCors {
  readonly origins: readonly TextMatcher[];
  /** Values of the fields; empty: the field is left out; `*`: what was asked for is repeated. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean;
  readonly unmatchedPreflights: CorsPolicy["unmatchedPreflights"];
}

export type CorsDecision =
  /** Not a cross-origin request, or of an origin that is not allowed: the browser sees no leave and withholds the answer. */
  | { readonly kind: "pass" }
  /** Goes on; its response gets {@link grantOrigin}. */
  | { readonly kind: "grant"; readonly origin: string }
  /** A preflight, answered here. */
  | { readonly kind: "reply"; readonly reply: LocalReply };

const PASS: CorsDecision = { kind: "pass" };

export function compileCors(
  cors: CorsPolicy,
  regexes: RegexCache,
  problem: (what: string) => void,
): CompiledCors {
  const list = (words: readonly string[], name: string): string => {
    const value = toWireText(words.join(","));
    if (isFieldValue(value)) return value;
    problem(`set header ${name}: its value has control characters`);
    return "";
  };
  return {
    origins: cors.allowOrigins.flatMap((origin) => {
      const isAny = origin.kind === "exact" && origin.value === "*";
      const compiled = compileTextMatch(isAny ? { kind: "present" } : origin, regexes);
      if (compiled.kind === "ok") return [compiled.matcher];
      problem(compiled.why);
      return [];
    }),
    allowMethods: list(cors.allowMethods, "access-control-allow-methods"),
    allowHeaders: list(cors.allowHeaders, "access-control-allow-headers"),
    exposeHeaders: list(cors.exposeHeaders, "access-control-expose-headers"),
    maxAge: cors.maxAgeSeconds === undefined ? "" : String(cors.maxAgeSeconds),
    allowCredentials: cors.allowCredentials,
    unmatchedPreflights: cors.unmatchedPreflights,
  };
}

export function decideCors(cors: CompiledCors | undefined, request: RequestHead): CorsDecision {
  if (cors === undefined) return PASS;
  const origin = request.headers.get("origin");
  if (origin === undefined || origin === "") return PASS;
  const isAllowed = cors.origins.some((allowed) => allowed.matches(origin));
  const askedMethod = request.headers.get("access-control-request-method") ?? "";
  const isPreflight = request.method === "OPTIONS" && askedMethod !== "";
  if (!isPreflight) return isAllowed ? { kind: "grant", origin } : PASS;
  if (isAllowed) return { kind: "reply", reply: preflightReply(cors, origin, askedMethod, request.headers) };
  return cors.unmatchedPreflights === "forward" ? PASS : { kind: "reply", reply: corsReply([]) };
}

/** Replaces what the service said of the origin; `vary` is left as the service wrote it, as in Envoy. */
export function grantOrigin(cors: CompiledCors, origin: string, response: HeaderFields): void {
  response.set("access-control-allow-origin", origin);
  if (cors.allowCredentials) response.set("access-control-allow-credentials", "true");
  if (cors.exposeHeaders !== "") response.set("access-control-expose-headers", cors.exposeHeaders);
}

function preflightReply(
  cors: CompiledCors,
  origin: string,
  askedMethod: string,
  headers: HeaderFields,
): LocalReply {
  const fields: [string, string][] = [["access-control-allow-origin", origin]];
  if (cors.allowCredentials) fields.push(["access-control-allow-credentials", "true"]);
  const methods = cors.allowMethods === "*" ? askedMethod : cors.allowMethods;
  if (methods !== "") fields.push(["access-control-allow-methods", methods]);
  const askedHeaders = headers.joined("access-control-request-headers") ?? "";
  const names = cors.allowHeaders === "*" ? askedHeaders : cors.allowHeaders;
  if (names !== "") fields.push(["access-control-allow-headers", names]);
  if (cors.maxAge !== "") fields.push(["access-control-max-age", cors.maxAge]);
  return corsReply(fields);
}

function corsReply(headers: LocalReply["headers"]): LocalReply {
  return { status: 200, body: "", headers, flag: "", details: "cors_response" };
}
