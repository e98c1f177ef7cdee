/**
 * Text of heads is a string of bytes (latin1), text that users write is Unicode. Both are compared as bytes:
 * what is configured is turned into bytes once, when it is compiled.
 */

const encoder = new TextEncoder();

/** Every character of a string of bytes that stands for itself in UTF-8. */
function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** The UTF-8 bytes of `text`, one character each: the form in which a head holds it. */
export function toWireText(text: string): string {
  if (isAscii(text)) return text;
  let wire = "";
  for (const byte of encoder.encode(text)) wire += String.fromCharCode(byte);
  return wire;
}

/** A text of a head as the bytes it stands for; the text itself where both are the same. */
export function wireBytes(text: string): string | Uint8Array {
  if (isAscii(text)) return text;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Lower case of ASCII letters alone: other bytes belong to characters of UTF-8. */
export function toLowerAscii(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x41 && code <= 0x5a) return lowerFrom(text, at);
    if (code > 0x7f) return lowerFrom(text, at);
  }
  return text;
}

function lowerFrom(text: string, start: number): string {
  if (isAscii(text)) return text.toLowerCase();
  let lower = text.slice(0, start);
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    lower += code >= 0x41 && code <= 0x5a ? String.fromCharCode(code + 0x20) : text.charAt(at);
  }
  return lower;
}
