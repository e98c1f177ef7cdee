/**
 * One spelling for each path before anything compares it: policies and routes must read what the service will read. As Envoy's
 * `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action` under Istio's `pathNormalization` (RFC 3986 §6.2.2).
 */

import type { WaypointSettings } from "@meltemi/model/l7";
import { querySuffix } from "./query.ts";

export type PathNormalization = WaypointSettings["pathNormalization"];

/** Octets that are written as escapes in a path: the path percent-encode set of the URL Standard. */
const ESCAPED = new Set(['"', "<", ">", "^", "`", "{", "}"].map((character) => character.charCodeAt(0)));

/**
 * The path with its query as it came, or its one spelling; undefined: refuse the request with 400, for a fragment, a control
 * character, an escaped NUL, no slash in front, or escapes within escapes. What came out comes out again unchanged.
 * `*` (OPTIONS) and the empty path (CONNECT) stay.
 */
export function normalizePath(target: string, mode: PathNormalization): string | undefined {
  if (target === "" || target === "*") return target;
  if (target.charCodeAt(0) !== 0x2f && !(mode !== "none" && target.charCodeAt(0) === 0x5c)) return undefined;
  const need = whatItNeeds(target, mode);
  if (need === "nothing") return target;
  if (need === "refusal") return undefined;
  const query = querySuffix(target);
  let path: string | undefined = target.slice(0, target.length - query.length);
  if (mode === "decodeAndMergeSlashes") path = decodeSlashes(path);
  path = respell(path);
  if (path === undefined) return undefined;
  path = removeDotSegments(path);
  if (mode !== "base") path = mergeSlashes(path);
  return path + query;
}

/** What an octet of a path asks for. A table: this is looked at for every octet of every request. */
const FINE = 0;
const RESPELL = 1;
const SLASH = 2;
const QUERY = 3;
const REFUSE = 4;
const OCTETS: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code <= 0x20 || code === 0x7f || code === 0x23) return REFUSE;
  if (code === 0x3f) return QUERY;
  if (code === 0x2f) return SLASH;
  return code === 0x25 || code === 0x5c || code > 0x7e || ESCAPED.has(code) ? RESPELL : FINE;
});

/** One pass over what is nearly always fine as it is. */
function whatItNeeds(target: string, mode: PathNormalization): "nothing" | "work" | "refusal" {
  let needsWork = false;
  let inPath = true;
  for (let at = 0; at < target.length; at++) {
    const octet = OCTETS[target.charCodeAt(at)] ?? REFUSE;
    if (octet === FINE) continue;
    if (octet === REFUSE) return "refusal";
    if (octet === QUERY) inPath = false;
    else if (octet === RESPELL) needsWork ||= inPath;
    else if (inPath) {
      const next = target.charCodeAt(at + 1);
      if (next === 0x2e || next === 0x2f) needsWork = true;
    }
  }
  return needsWork && mode !== "none" ? "work" : "nothing";
}

function decodeSlashes(path: string): string {
  return path.replace(/%2[fF]/g, "/").replace(/%5[cC]/g, "\\");
}

/**
 * Backslashes become slashes, escapes of unreserved characters the characters, and what must be escaped is. Undefined for an
 * escaped NUL, and where the result would be read as another escape: `%%361` would come out as `%61`, which the next reader
 * takes for `a`. A `%` that begins no escape passes otherwise, as in browsers and in Envoy.
 */
function respell(path: string): string | undefined {
  let respelled = "";
  const strays: number[] = [];
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code !== 0x25) {
      respelled += spelling(path.charAt(at), code);
      continue;
    }
    const octet = escapedOctet(path, at);
    if (octet === undefined) {
      strays.push(respelled.length);
      respelled += "%";
      continue;
    }
    if (octet === 0) return undefined;
    respelled += isUnreserved(octet) ? String.fromCharCode(octet) : path.slice(at, at + 3);
    at += 2;
  }
  return strays.some((at) => escapedOctet(respelled, at) !== undefined) ? undefined : respelled;
}

function spelling(character: string, code: number): string {
  if (code === 0x5c) return "/";
  if (code <= 0x7e && !ESCAPED.has(code)) return character;
  return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** The octet of the escape at `at`; undefined when there is none. */
function escapedOctet(path: string, at: number): number | undefined {
  const high = hexDigit(path.charCodeAt(at + 1));
  const low = hexDigit(path.charCodeAt(at + 2));
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

function hexDigit(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const upper = code & ~0x20;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : undefined;
}

/** RFC 3986 §2.3. */
function isUnreserved(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
  return isDigit || isLetter || code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}

/** RFC 3986 §5.2.4. `..` above the root is the root. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/");
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index] ?? "";
    const isLast = index === segments.length - 1;
    if (segment === "..") kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
    // A dot names a directory: the slash at its end stays.
    else if (isLast) kept.push("");
  }
  return `/${kept.join("/")}`;
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}
