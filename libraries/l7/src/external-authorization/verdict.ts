/** What an external authorizer says of a request, and how that changes it. */

import type { HeaderFields } from "@meltemi/http";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { withoutQuery } from "../routing/query.ts";

export interface FieldChange {
  readonly name: string;
  readonly value: string;
  readonly how: "set" | "append" | "addIfAbsent" | "setIfPresent";
}

export interface Allowance {
  readonly kind: "allow";
  readonly requestFields: readonly FieldChange[];
  readonly removedFields: readonly string[];
  readonly responseFields: readonly (readonly [name: string, value: string])[];
  readonly queryToSet: readonly (readonly [name: string, value: string])[];
  readonly queryToRemove: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}

export type AuthorizerVerdict =
  | Allowance
  | { readonly kind: "deny"; readonly reply: LocalReply }
  /** It did not say; `why` is for the log. */
  | { readonly kind: "error"; readonly why: string };

/** Of the connection or of framing: they are the proxy's, whoever is trusted with policy. */
const UNTOUCHABLE: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A field that an authorizer may write: a name and a value that cannot break a head (RFC 9110 §5.1, §5.5). */
export function isWritable(name: string, value: string): boolean {
  return (
    /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) &&
    !UNTOUCHABLE.has(name) &&
    /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  );
}

export function applyAllowance(context: RequestContext, allowance: Allowance): void {
  const { request } = context;
  for (const name of allowance.removedFields) if (isWritable(name, "")) request.headers.delete(name);
  for (const change of allowance.requestFields) changeField(request.headers, change);
  const { responseFields, queryToSet, queryToRemove, metadata } = allowance;
  if (responseFields.length > 0)
    context.responseFields = [...(context.responseFields ?? []), ...responseFields];
  if (queryToSet.length + queryToRemove.length > 0)
    request.path = changeQuery(request.path, queryToSet, queryToRemove);
  if (metadata !== undefined) context.metadata.set("envoy.filters.http.ext_authz", metadata);
}

function changeField(headers: HeaderFields, { name, value, how }: FieldChange): void {
  if (!isWritable(name, value)) return;
  const isThere = headers.has(name);
  if (how === "append") headers.append(name, value);
  else if (how === "set" || isThere === (how === "setIfPresent")) headers.set(name, value);
}

/** Names and values are written as a query holds them. */
function changeQuery(
  path: string,
  toSet: readonly (readonly [name: string, value: string])[],
  toRemove: readonly string[],
): string {
  const bare = withoutQuery(path);
  const replaced = new Set([...toRemove, ...toSet.map(([name]) => name)].map(encodeURIComponent));
  const kept = path
    .slice(bare.length + 1)
    .split("&")
    .filter((pair) => pair !== "" && !replaced.has(pair.split("=", 1)[0] ?? ""));
  const set = toSet.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const query = [...kept, ...set].join("&");
  return query === "" ? bare : `${bare}?${query}`;
}
