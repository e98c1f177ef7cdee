/** Host and port of a request (RFC 9112 §3.2, RFC 3986 §3.2.2). User information is refused, as RFC 9110 §4.2.4 asks. */

import { HOST_NAME, isDigit } from "./characters.ts";

/** A DNS name is at most 255 bytes; no authority is longer than that and a port. */
const MAX_AUTHORITY_LENGTH = 262;
const MAX_PORT = 65_535;

export type AuthorityForm = "port optional" | "port required";

export function isAuthority(text: string, form: AuthorityForm): boolean {
  if (text.length === 0 || text.length > MAX_AUTHORITY_LENGTH) return false;
  const end = text.charCodeAt(0) === 91 ? endOfIpv6(text) : endOfName(text);
  if (end === 0) return false;
  if (end === text.length) return form === "port optional";
  return isPort(text, end);
}

/** Where the name ends; zero when there is none. */
function endOfName(text: string): number {
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code > 127 || HOST_NAME[code] === 0) break;
    at++;
  }
  return at;
}

function endOfIpv6(text: string): number {
  const close = text.indexOf("]");
  return close > 2 && /^[0-9A-Fa-f:.]+$/.test(text.slice(1, close)) ? close + 1 : 0;
}

function isPort(text: string, colon: number): boolean {
  if (text.charCodeAt(colon) !== 58) return false;
  const digits = text.length - colon - 1;
  if (digits < 1 || digits > 5) return false;
  let port = 0;
  for (let at = colon + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) return false;
    port = port * 10 + code - 48;
  }
  return port > 0 && port <= MAX_PORT;
}
