/** The four forms of a request target (RFC 9112 §3.2) as scheme, authority and path. */

import { isAuthority } from "./authority.ts";
import { type Refusal, refuse } from "./limits.ts";

export interface RequestTarget {
  readonly kind: "ok";
  readonly scheme: string;
  /** Undefined where the target has none and the Host field says it. */
  readonly authority: string | undefined;
  readonly path: string;
}

/** `target` is not empty and has only characters that a target may have. */
export function parseTarget(method: string, target: string): RequestTarget | Refusal {
  if (method === "CONNECT") return parseConnectTarget(target);
  if (target.charCodeAt(0) === 47) return { kind: "ok", scheme: "http", authority: undefined, path: target };
  if (target === "*") {
    if (method !== "OPTIONS") return refuse("request target: expected * with OPTIONS only");
    return { kind: "ok", scheme: "http", authority: undefined, path: "*" };
  }
  return parseAbsolute(method, target);
}

function parseConnectTarget(target: string): RequestTarget | Refusal {
  if (!isAuthority(target, "port required")) return refuse("request target: expected host:port with CONNECT");
  return { kind: "ok", scheme: "http", authority: target, path: "" };
}

function parseAbsolute(method: string, target: string): RequestTarget | Refusal {
  const scheme = schemeOf(target);
  if (scheme === undefined)
    return refuse("request target: expected a path, or a URL of scheme http or https");
  const from = scheme.length + 3;
  const slash = indexOrEnd(target, "/", from);
  const end = Math.min(slash, indexOrEnd(target, "?", from));
  const authority = target.slice(from, end);
  if (!isAuthority(authority, "port optional"))
    return refuse("request target: expected host and optional port in the URL");
  return { kind: "ok", scheme, authority, path: pathOf(method, target.slice(end)) };
}

function pathOf(method: string, rest: string): string {
  if (rest === "") return method === "OPTIONS" ? "*" : "/";
  return rest.startsWith("?") ? `/${rest}` : rest;
}

function schemeOf(target: string): "http" | "https" | undefined {
  const start = target.slice(0, 8).toLowerCase();
  if (start.startsWith("http://")) return "http";
  return start === "https://" ? "https" : undefined;
}

function indexOrEnd(text: string, wanted: string, from: number): number {
  const at = text.indexOf(wanted, from);
  return at < 0 ? text.length : at;
}
