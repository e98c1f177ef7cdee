/** Which bytes may stand where (RFC 9110 §5.5, §5.6.2; RFC 9112 §3). One table look-up per byte. */

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
export const SEMICOLON = 59;

const codeOf = (character: string): number => character.charCodeAt(0);

function tableOf(allowed: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (allowed(code) ? 1 : 0));
}

const isVisible = (code: number): boolean => code > SP && code < 127;
const isToken = (code: number): boolean =>
  isVisible(code) && !'"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(code));

/** The lower-case form of a byte that may stand in a token, zero for every other. */
export const LOWER_TOKEN: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  isToken(code) ? codeOf(String.fromCharCode(code).toLowerCase()) : 0,
);

/** Visible characters, space, tab, and bytes above ASCII whose meaning is the origin's. */
export const FIELD_VALUE: Uint8Array = tableOf((code) => code === HTAB || (code >= SP && code !== 127));

/**
 * More than RFC 3986 allows, since browsers send `|`, `{` or `"` in queries. No fragment, and no byte above ASCII: a policy on
 * `/ä` must not be passed by sending the raw bytes of what others send escaped.
 */
export const TARGET: Uint8Array = tableOf((code) => isVisible(code) && code !== codeOf("#"));

/** Of a chunk extension. */
export const EXTENSION: Uint8Array = tableOf((code) => code === HTAB || (code >= SP && code < 127));

/** A registered name (RFC 3986 §3.2.2): unreserved, sub-delims, escapes. */
export const HOST_NAME: Uint8Array = tableOf((code) =>
  /[A-Za-z0-9._~!$&'()*+,;=%-]/.test(String.fromCharCode(code)),
);

/** Value of a hexadecimal digit, 255 for every other byte. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  const at = "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase());
  return at < 0 ? 255 : at;
});

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
