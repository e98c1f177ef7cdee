/** Makes a value safe within a line of text: what a client sends neither ends a line nor the quotes around it. */

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** Visible ASCII and spaces stay; quotes and backslashes get a backslash, every other byte is `\xHH`. */
export function escapeText(value: string): string {
  for (let at = 0; at < value.length; at++) if (!isPlain(value.charCodeAt(at))) return escapeFrom(value, at);
  return value;
}

function isPlain(code: number): boolean {
  return code >= 0x20 && code <= 0x7e && code !== QUOTE && code !== BACKSLASH;
}

function escapeFrom(value: string, start: number): string {
  let escaped = value.slice(0, start);
  for (let at = start; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (isPlain(code)) escaped += value.charAt(at);
    else if (code === QUOTE || code === BACKSLASH) escaped += `\\${value.charAt(at)}`;
    else escaped += code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`;
  }
  return escaped;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
