/** Forms of single values: those of HTTP/1.1, so that what passes here cannot be read as anything else when it is written there. */
import { isAuthority } from "../http1/authority.ts";
import { isDigit, LOWER_TOKEN, TARGET } from "../http1/characters.ts";

/** Longer ones have no honest use. */
const MAX_TOKEN_CHARS = 64;
/** More digits would not be a safe integer. */
const MAX_LENGTH_DIGITS = 15;

function consistsOf(text: string, chars: Uint8Array): boolean {
  for (let at = 0; at < text.length; at++) {
    if ((chars[text.charCodeAt(at)] ?? 0) === 0) return false;
  }
  return text.length > 0;
}

export function methodFault(method: string): string | undefined {
  if (method === "GET" || method === "POST") return undefined;
  return method.length <= MAX_TOKEN_CHARS && consistsOf(method, LOWER_TOKEN)
    ? undefined
    : ":method that is no token";
}

export function protocolFault(protocol: string): string | undefined {
  const proper = protocol.length <= MAX_TOKEN_CHARS && consistsOf(protocol, LOWER_TOKEN);
  return proper ? undefined : ":protocol that is no token";
}

/** A CONNECT names the port as well (RFC 9110 §9.3.6). */
export function authorityFault(authority: string, connect: boolean): string | undefined {
  if (isAuthority(authority, connect ? "port required" : "port optional")) return undefined;
  return connect ? ":authority that is not host:port" : ":authority that is no host with port";
}

/** Origin form, or `*` for OPTIONS: no space, no control character, no fragment, nothing above ASCII. */
export function pathFault(path: string, method: string): string | undefined {
  if (path.charCodeAt(0) === SLASH && consistsOf(path, TARGET)) return undefined;
  return path === "*" && method === "OPTIONS" ? undefined : ":path that is no path";
}

/** Undefined for what is neither http nor https. */
export function schemeOf(text: string | undefined): "http" | "https" | undefined {
  if (text === "http" || text === "https") return text;
  const lower = text?.toLowerCase();
  return lower === "http" || lower === "https" ? lower : undefined;
}

/** RFC 9110 §8.6: digits only, no list. */
export function parseLength(text: string): number | undefined {
  if (text.length === 0 || text.length > MAX_LENGTH_DIGITS) return undefined;
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) return undefined;
    length = 10 * length + code - ZERO;
  }
  return length;
}

const SLASH = 0x2f;
const ZERO = 0x30;
