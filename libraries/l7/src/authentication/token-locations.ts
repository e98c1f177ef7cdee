/** Where a request carries tokens, and how they are taken out of it (reference: l7-and-cli §2.3, fromHeaders, fromParams, fromCookies). */

import type { HeaderFields, RequestHead } from "@meltemi/http";
import type { JwtRule } from "@meltemi/model/l7";

export interface TokenLocations {
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

export function locationsOf({ fromHeaders, fromParams, fromCookies }: JwtRule): TokenLocations {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0)
    return {
      headers: [{ name: "authorization", prefix: "Bearer " }],
      params: ["access_token"],
      cookies: [],
    };
  return {
    headers: fromHeaders.map(({ name, prefix }) => ({ name: name.toLowerCase(), prefix })),
    params: fromParams,
    cookies: fromCookies,
  };
}

/** Every token, also a second one in the same place: whoever reads the request behind us may take any of them. */
export function findTokens(request: RequestHead, locations: TokenLocations): readonly string[] {
  const tokens: string[] = [];
  for (const { name, prefix } of locations.headers) collectHeaders(request.headers, name, prefix, tokens);
  if (locations.params.length > 0 && request.path.includes("?"))
    collectPairs(request.path.slice(request.path.indexOf("?") + 1), "&", locations.params, tokens);
  if (locations.cookies.length > 0)
    for (const cookies of request.headers.all("cookie"))
      collectPairs(cookies, ";", locations.cookies, tokens);
  return tokens;
}

function collectHeaders({ flat }: HeaderFields, name: string, prefix: string, into: string[]): void {
  for (let at = 0; at < flat.length; at += 2) {
    const value = flat[at + 1] ?? "";
    if (flat[at] === name && value.startsWith(prefix)) into.push(value.slice(prefix.length));
  }
}

/** Of `name=value` pairs; a pair without `=` is a name. */
function collectPairs(text: string, separator: string, names: readonly string[], into: string[]): void {
  for (const pair of text.split(separator)) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    if (names.includes(name.trim())) into.push(equals < 0 ? "" : pair.slice(equals + 1).trim());
  }
}

/** Nothing that {@link findTokens} finds is left. */
export function removeTokens(request: RequestHead, locations: TokenLocations): void {
  const { headers } = request;
  for (const { name, prefix } of locations.headers)
    if (headers.all(name).some((value) => value.startsWith(prefix))) headers.delete(name);
  const mark = request.path.indexOf("?");
  if (locations.params.length > 0 && mark >= 0) {
    const kept = without(request.path.slice(mark + 1), "&", locations.params);
    request.path = kept === "" ? request.path.slice(0, mark) : `${request.path.slice(0, mark)}?${kept}`;
  }
  if (locations.cookies.length > 0 && headers.has("cookie")) removeCookies(headers, locations.cookies);
}

function removeCookies(headers: HeaderFields, names: readonly string[]): void {
  const kept = headers
    .all("cookie")
    .map((cookies) => without(cookies, ";", names).trim())
    .filter((cookies) => cookies !== "");
  headers.delete("cookie");
  for (const cookies of kept) headers.append("cookie", cookies);
}

function without(text: string, separator: string, names: readonly string[]): string {
  const isKept = (pair: string): boolean => !names.includes((pair.split("=", 1)[0] ?? "").trim());
  return text.split(separator).filter(isKept).join(separator);
}
