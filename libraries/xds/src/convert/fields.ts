/** Checks and tables shared by the conversions of all messages (reference: protocol §3.2). Faults are INPUT_INVALID. */

import { type Ip, ipFromBytes } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";

/** Longer than any uid or `namespace/hostname` that Kubernetes permits (253 + 253 + separators), short enough for a map key. */
const MAX_NAME_LENGTH = 1024;

export function invalid(field: string, value: unknown, expected: string): MeshError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
  return new MeshError("INPUT_INVALID", `read ${field} ${shown}: expected ${expected}`);
}

/** A name that later becomes a key: not empty, bounded. */
export function requiredName(field: string, value: string): string {
  if (value.length === 0 || value.length > MAX_NAME_LENGTH)
    throw invalid(field, value, `1 to ${MAX_NAME_LENGTH} characters`);
  return value;
}

export function boundedName(field: string, value: string): string {
  if (value.length > MAX_NAME_LENGTH) throw invalid(field, value, `at most ${MAX_NAME_LENGTH} characters`);
  return value;
}

export function ipFromWire(field: string, bytes: Uint8Array): Ip {
  const address = ipFromBytes(bytes);
  if (address === undefined)
    throw invalid(field, `${bytes.length} bytes`, "an address of 4 or 16 bytes in network order");
  return address;
}

export function portFromWire(field: string, port: number): number {
  if (port > 65_535) throw invalid(field, port, "a port up to 65535");
  return port;
}

/** A closed wire enum as the list of its meanings by number; `undefined` marks a value that is known and refused. */
export type EnumTable<T extends string> = readonly (T | undefined)[];

export function enumFromWire<T extends string>(field: string, table: EnumTable<T>, value: number): T {
  const meaning = table[value];
  if (meaning === undefined)
    throw invalid(field, value, `one of ${table.filter((name) => name !== undefined).join(", ")}`);
  return meaning;
}

export function enumToWire<T extends string>(table: EnumTable<T>, meaning: T): number {
  return table.indexOf(meaning);
}
