/** The protobuf wire format: numbered fields, every length checked before it is believed. */
import { badRequest } from "../refusal.ts";

export type WireField =
  | { readonly kind: "varint"; readonly number: number; readonly value: bigint }
  | { readonly kind: "bytes"; readonly number: number; readonly value: Buffer }
  | { readonly kind: "fixed"; readonly number: number };

/** More fields than the largest honest message has, a list of a hundred thousand elements. */
const MAX_FIELDS = 100_000;

/** Views into `bytes`, not copies. @throws Refusal 400 for bytes that are no message */
export function readFields(bytes: Buffer): readonly WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (fields.length >= MAX_FIELDS) throw malformed(`more than ${MAX_FIELDS} fields`);
    const tag = readVarint(bytes, at);
    at = tag.next;
    const number = Number(tag.value >> 3n);
    const wire = Number(tag.value & 7n);
    if (number === 0 || number > 0x1fff_ffff) throw malformed("a field number out of range");
    const field = readField(bytes, at, number, wire);
    fields.push(field.field);
    at = field.next;
  }
  return fields;
}

function readField(
  bytes: Buffer,
  at: number,
  number: number,
  wire: number,
): { field: WireField; next: number } {
  switch (wire) {
    case 0: {
      const { value, next } = readVarint(bytes, at);
      return { field: { kind: "varint", number, value }, next };
    }
    case 1:
    case 5: {
      const next = at + (wire === 1 ? 8 : 4);
      if (next > bytes.length) throw malformed("a field that ends early");
      return { field: { kind: "fixed", number }, next };
    }
    case 2: {
      const length = readVarint(bytes, at);
      const end = length.next + Number(length.value);
      if (length.value > BigInt(bytes.length) || end > bytes.length)
        throw malformed("a length beyond the end");
      return { field: { kind: "bytes", number, value: bytes.subarray(length.next, end) }, next: end };
    }
    default:
      throw malformed(`wire type ${wire}`);
  }
}

function readVarint(bytes: Buffer, start: number): { value: bigint; next: number } {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw malformed("a number that ends early");
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: start + index + 1 };
  }
  throw malformed("a number of more than ten bytes");
}

function malformed(what: string): Error {
  return badRequest(`read the request's body as protobuf: ${what}`);
}
