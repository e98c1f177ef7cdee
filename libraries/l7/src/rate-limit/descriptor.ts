/** What a request is counted by: the values of a limit's keys (reference: l7-and-cli §9 item 25; Envoy's rate limit descriptors). */

import { formatIdentity } from "@meltemi/model";
import type { RateLimitKey } from "@meltemi/model/l7";
import { claimText } from "../authentication/claim-headers.ts";
import type { RequestContext } from "../request-context.ts";

export type DescriptorEntry = readonly [key: string, value: string];

/** Undefined: the request lacks one of the keys, and is not counted. */
export function descriptorOf(
  keys: readonly RateLimitKey[],
  context: RequestContext,
): readonly DescriptorEntry[] | undefined {
  const entries: DescriptorEntry[] = [];
  for (const key of keys) {
    const value = entryValue(key, context);
    if (value === undefined) return undefined;
    entries.push([nameOf(key), value]);
  }
  return entries;
}

/** One text per combination of values: lengths in front, so that no value can pretend to be two. */
export function descriptorText(entries: readonly DescriptorEntry[]): string {
  let text = "";
  for (const [, value] of entries) text += `${value.length}:${value}`;
  return text;
}

/** As a global service sees it. */
function nameOf(key: RateLimitKey): string {
  switch (key.kind) {
    case "header":
      return key.name.toLowerCase();
    case "claim":
      return key.claim;
    case "constant":
      return key.key;
    case "path":
    case "method":
      return key.kind;
    case "sourcePrincipal":
      return "source_principal";
    case "sourceIp":
      return "remote_address";
  }
}

function entryValue(key: RateLimitKey, { request, path, caller, token }: RequestContext): string | undefined {
  switch (key.kind) {
    case "header":
      return request.headers.joined(key.name.toLowerCase());
    case "path":
      return path;
    case "method":
      return request.method;
    case "claim":
      return token && claimText(token.claims, key.claim);
    case "sourcePrincipal":
      return caller.identity && formatIdentity(caller.identity);
    case "sourceIp":
      return caller.ip;
    case "constant":
      return key.value;
  }
}
