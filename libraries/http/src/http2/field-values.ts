/** Forms of single values. What passes here cannot be read as anything else when it is written into HTTP/1.1. */

const PATH = 1;
const AUTHORITY = 2;
const TOKEN = 4;

/** For each byte, what it may be part of. */
const CHARS = new Uint8Array(256);
const permit = (flag: number, chars: string): void => {
  for (const char of chars) CHARS[char.charCodeAt(0)] = (CHARS[char.charCodeAt(0)] ?? 0) | flag;
};
const ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
permit(TOKEN, `${ALPHANUMERIC}!#$%&'*+-.^_\`|~`);
// RFC 3986 §3.2.2 with port; no user information, which could pass for another host.
permit(AUTHORITY, `${ALPHANUMERIC}-._~%!$&'()*+,;=:[]`);
for (let code = 0x21; code < 256; code++) {
  if (code !== 0x7f && code !== 0x23) CHARS[code] = (CHARS[code] ?? 0) | PATH;
}

/** Longer ones have no honest use. */
const MAX_TOKEN_CHARS = 64;
/** More digits would not be a safe integer. */
const MAX_LENGTH_DIGITS = 15;

function consistsOf(text: string, flag: number): boolean {
  for (let at = 0; at < text.length; at++) {
    if (((CHARS[text.charCodeAt(at)] ?? 0) & flag) === 0) return false;
  }
  return text.length > 0;
}

export function methodFault(method: string): string | undefined {
  if (method === "GET" || method === "POST") return undefined;
  return method.length <= MAX_TOKEN_CHARS && consistsOf(method, TOKEN)
    ? undefined
    : ":method that is no token";
}

export function protocolFault(protocol: string): string | undefined {
  const proper = protocol.length <= MAX_TOKEN_CHARS && consistsOf(protocol, TOKEN);
  return proper ? undefined : ":protocol that is no token";
}

export function authorityFault(authority: string): string | undefined {
  return consistsOf(authority, AUTHORITY) ? undefined : ":authority that is no host with port";
}

/** Origin form, or `*` for OPTIONS: no space, no control character, no fragment. */
export function pathFault(path: string, method: string): string | undefined {
  if (path.charCodeAt(0) === SLASH && consistsOf(path, PATH)) return undefined;
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
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    length = 10 * length + digit;
  }
  return length;
}

const SLASH = 0x2f;
const ZERO = 0x30;
