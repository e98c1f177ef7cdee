/** What of a request decides where it belongs (reference: l7-and-cli §2.5 `consistentHash`). */

import type { HeaderFields } from "@meltemi/http";
import type { HashKey } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { RequestContext } from "../request-context.ts";
import { isFieldValue } from "../routing/header-edit.ts";
import { queryParameter } from "../routing/query.ts";
import { toWireText } from "../text/wire-text.ts";
import type { Hash64 } from "./endpoint.ts";
import { xxHash64 } from "./xxhash64.ts";

export interface RequestHash {
  /** Undefined: the request has no such key. */
  readonly hash: Hash64 | undefined;
  /** Value of a `set-cookie` that gives the client its key; undefined: none is needed. */
  readonly setCookie: string | undefined;
}

/** `random` is drawn from only where a cookie is made. */
export function hashRequest(key: HashKey, context: RequestContext, random: () => number): RequestHash {
  switch (key.kind) {
    case "header":
      return of(context.request.headers.joined(key.name.toLowerCase()));
    case "queryParam":
      return of(queryParameter(context.request.path, key.name));
    case "sourceIp":
      return of(context.caller.ip);
    case "cookie": {
      const known = cookieValue(context.request.headers, key.name);
      if (known !== undefined) return of(known);
      if (key.ttlMs === undefined) return of(undefined);
      const made = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join("");
      return { hash: xxHash64(made), setCookie: setCookie(key, made) };
    }
    default:
      return unreachable(key);
  }
}

function of(value: string | undefined): RequestHash {
  const hasValue = value !== undefined && value !== "";
  return { hash: hasValue ? xxHash64(value) : undefined, setCookie: undefined };
}

/** Undefined where the configuration's words are none of a header: a response is worth more than its cookie. */
function setCookie(key: Extract<HashKey, { readonly kind: "cookie" }>, value: string): string | undefined {
  const parts = [`${key.name}="${value}"`];
  const seconds = Math.floor((key.ttlMs ?? 0) / 1000);
  if (seconds > 0) parts.push(`Max-Age=${seconds}`);
  if (key.path !== "") parts.push(`Path=${key.path}`);
  for (const [name, text] of key.attributes) parts.push(text === "" ? name : `${name}=${text}`);
  parts.push("HttpOnly");
  const cookie = toWireText(parts.join("; "));
  return isFieldValue(cookie) ? cookie : undefined;
}

/** The first cookie of that name (RFC 6265 §4.2.1), without quotes; empty ones are none. */
function cookieValue(headers: HeaderFields, name: string): string | undefined {
  const { flat } = headers;
  for (let at = 0; at < flat.length; at += 2) {
    if (flat[at] !== "cookie") continue;
    for (const pair of (flat[at + 1] ?? "").split(";")) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      const bare =
        value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
      if (bare !== "") return bare;
    }
  }
  return undefined;
}
