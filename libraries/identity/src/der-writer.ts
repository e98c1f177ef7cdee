/** Writes DER (ITU-T X.690). Each function gives one whole element. */

import { contextTag, TAG } from "./der-reader.ts";

export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = length < 0x80 ? [tag, length] : [tag, ...longLength(length)];
  const out = new Uint8Array(header.length + length);
  out.set(header);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.sequence, ...parts);
}

/** SET OF with one member; with several the caller must sort them. */
export function setOfOne(part: Uint8Array): Uint8Array {
  return element(TAG.set, part);
}

/** `[number] EXPLICIT`. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return element(contextTag(number), ...parts);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  return (trimmed[0] ?? 0) >= 0x80 || trimmed.length === 0
    ? element(TAG.integer, Uint8Array.of(0), trimmed)
    : element(TAG.integer, trimmed);
}

export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [40 * first + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      septets.unshift((left & 0x7f) | 0x80);
    return septets;
  });
  return element(TAG.objectIdentifier, Uint8Array.from(bytes));
}

export function octetString(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.octetString, ...parts);
}

export function bitString(bytes: Uint8Array): Uint8Array {
  return element(TAG.bitString, Uint8Array.of(0), bytes);
}

/** Named bits 0–7 (keyUsage): trailing zero bits are cut, as DER wants. */
export function namedBits(bits: number): Uint8Array {
  if (bits === 0) return element(TAG.bitString, Uint8Array.of(0));
  let byte = 0;
  for (let bit = 0; bit < 8; bit++) if (bits & (1 << bit)) byte |= 0x80 >> bit;
  return element(TAG.bitString, Uint8Array.of(Math.clz32(bits) - 24, byte));
}

export function trueValue(): Uint8Array {
  return element(TAG.boolean, Uint8Array.of(0xff));
}

export function nullValue(): Uint8Array {
  return element(TAG.null);
}

export function utf8String(text: string): Uint8Array {
  return element(TAG.utf8String, new TextEncoder().encode(text));
}

/** Whole seconds, cut downwards; UTCTime until 2049 and GeneralizedTime after, as RFC 5280 §4.1.2.5 wants. */
export function time(epochMs: number): Uint8Array {
  const text = `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
  const year = Number(text.slice(0, 4));
  const utc = year >= 1950 && year < 2050;
  return element(
    utc ? TAG.utcTime : TAG.generalizedTime,
    new TextEncoder().encode(utc ? text.slice(2) : text),
  );
}

function longLength(length: number): number[] {
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 | bytes.length, ...bytes];
}
