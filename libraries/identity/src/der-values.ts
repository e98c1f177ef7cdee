/** Values inside DER elements: integers, object identifiers, bit strings, times. Canonical forms only. */

import { DerFault, type DerReader, TAG } from "./der-reader.ts";

/** Dotted text of an OBJECT IDENTIFIER. */
export function readObjectIdentifier(reader: DerReader, what: string): string {
  const { content } = reader.read(TAG.objectIdentifier, what);
  const arcs: number[] = [];
  let value = 0;
  let begun = false;
  for (const byte of content) {
    if (!begun && byte === 0x80) throw new DerFault(`${what}: arc not in its shortest form`);
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerFault(`${what}: arc too large`);
    begun = (byte & 0x80) !== 0;
    if (begun) continue;
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      arcs.push(first, value - 40 * first);
    } else arcs.push(value);
    value = 0;
  }
  if (begun || arcs.length === 0) throw new DerFault(`${what}: object identifier cut short`);
  return arcs.join(".");
}

/** Content bytes of an INTEGER, two's complement, in its shortest form. */
export function readInteger(reader: DerReader, what: string): Uint8Array {
  const { content } = reader.read(TAG.integer, what);
  const [first, second] = content;
  if (first === undefined) throw new DerFault(`${what}: empty integer`);
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new DerFault(`${what}: integer not in its shortest form`);
  return content;
}

/**
 * Serial number of a certificate: upper-case hexadecimal, without the zero that DER puts before a high bit. RFC 5280 §4.1.2.2:
 * positive, at most 20 bytes. Zero exists, made by faulty CAs.
 */
export function readSerialNumber(reader: DerReader, what: string): string {
  const serial = readInteger(reader, what);
  if ((serial[0] ?? 0) >= 0x80 || serial.length > 21) throw new DerFault(`${what}: negative or too long`);
  const bytes = serial.length > 1 && serial[0] === 0 ? serial.subarray(1) : serial;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex").toUpperCase();
}

/** An INTEGER from 0 to 2³¹ − 1. */
export function readSmallInteger(reader: DerReader, what: string): number {
  const content = readInteger(reader, what);
  if ((content[0] ?? 0) >= 0x80) throw new DerFault(`${what}: negative`);
  if (content.length > 4) throw new DerFault(`${what}: too large`);
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

export function readBoolean(reader: DerReader, what: string): boolean {
  const { content } = reader.read(TAG.boolean, what);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
    throw new DerFault(`${what}: boolean must be one byte, 00 or ff`);
  return content[0] === 0xff;
}

/** A BIT STRING that is whole bytes (keys, signatures). */
export function readBitStringBytes(reader: DerReader, what: string): Uint8Array {
  const { content } = reader.read(TAG.bitString, what);
  if (content[0] !== 0) throw new DerFault(`${what}: bit string must be whole bytes`);
  return content.subarray(1);
}

/** The first 16 named bits of a BIT STRING, bit 0 lowest. */
export function readNamedBits(reader: DerReader, what: string): number {
  const { content } = reader.read(TAG.bitString, what);
  const unused = content[0];
  if (unused === undefined || unused > 7 || content.length > 3 || (content.length === 1 && unused !== 0))
    throw new DerFault(`${what}: malformed bit string`);
  let bits = 0;
  for (let bit = 0; bit < (content.length - 1) * 8 - unused; bit++) {
    if (((content[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) bits |= 1 << bit;
  }
  return bits;
}

/** UTCTime or GeneralizedTime in the forms RFC 5280 §4.1.2.5 allows; milliseconds since the epoch. */
export function readTime(reader: DerReader, what: string): number {
  const element = reader.any(what);
  const text = asciiText(element.content, what);
  const utc = element.tag === TAG.utcTime;
  if (!utc && element.tag !== TAG.generalizedTime) throw new DerFault(`${what}: not a time`);
  const match = (utc ? /^(\d\d)((?:\d\d){5})Z$/ : /^(\d{4})((?:\d\d){5})Z$/).exec(text);
  if (match === null) throw new DerFault(`${what}: time must be in whole seconds and end in Z`);
  const [, yearText = "", rest = ""] = match;
  const year = utc ? Number(yearText) + (Number(yearText) < 50 ? 2000 : 1900) : Number(yearText);
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = (rest.match(/\d\d/g) ?? []).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!same) throw new DerFault(`${what}: no such date`);
  return date.getTime();
}

/** Printable ASCII; anything else (a NUL that would end the text for another reader, say) is refused. */
export function asciiText(bytes: Uint8Array, what: string): string {
  let text = "";
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) throw new DerFault(`${what}: not printable ASCII`);
    text += String.fromCharCode(byte);
  }
  return text;
}
