/** Names of fields: one string for each name that is in use, and what a name means to the framing of a message. */

import { LOWER_TOKEN } from "./characters.ts";

/** What the codec itself does with a field. Numbers, for a switch in the inner loop. */
export const FieldKind = {
  ordinary: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  expect: 6,
  te: 7,
  /** Belongs to one connection and is never passed on. */
  hopByHop: 8,
} as const;

const KINDS: ReadonlyMap<string, number> = new Map([
  ["host", FieldKind.host],
  ["content-length", FieldKind.contentLength],
  ["transfer-encoding", FieldKind.transferEncoding],
  ["connection", FieldKind.connection],
  ["upgrade", FieldKind.upgrade],
  ["expect", FieldKind.expect],
  ["te", FieldKind.te],
  ["keep-alive", FieldKind.hopByHop],
  ["proxy-connection", FieldKind.hopByHop],
  ["http2-settings", FieldKind.hopByHop],
]);

/** Names in use at one time are a few hundred. */
const SLOTS = 1024;
/** Longer names are made anew each time, so that the table stays under 128 KiB whatever a client sends. */
const MAX_INTERNED_BYTES = 64;

/**
 * Interns names as they are parsed: no string is made for a name that was seen before. Two names in one slot replace each
 * other; who sends names that collide gets slower parsing, nothing else.
 */
export class FieldNames {
  readonly #names: string[] = Array.from({ length: SLOTS }, () => "");
  readonly #kinds = new Uint8Array(SLOTS);
  /** Of the name that {@link find} returned last. */
  kind = 0;

  /** The name at `bytes[from, to)`, a token with the given {@link hash}, in lower case; `text` is `bytes` from `base`. */
  find(bytes: Uint8Array, from: number, to: number, hash: number, text: string, base: number): string {
    const slot = (hash ^ (hash >>> 13)) & (SLOTS - 1);
    const found = this.#names[slot] as string;
    if (found.length === to - from && isSame(found, bytes, from)) {
      this.kind = this.#kinds[slot] as number;
      return found;
    }
    const name = text.slice(from - base, to - base).toLowerCase();
    this.kind = KINDS.get(name) ?? FieldKind.ordinary;
    if (name.length > MAX_INTERNED_BYTES) return name;
    this.#names[slot] = detached(name);
    this.#kinds[slot] = this.kind;
    return this.#names[slot] as string;
  }
}

/** A slice keeps the whole head alive, and a name stays in the table. */
const detached = (name: string): string => Buffer.from(name, "latin1").toString("latin1");

function isSame(name: string, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < name.length; at++)
    if (name.charCodeAt(at) !== LOWER_TOKEN[bytes[from + at] as number]) return false;
  return true;
}

/** Distinct names that are written; beyond it they are checked each time. */
const MAX_KNOWN = 2048;

/** Remembers which names may be written, and their kind. */
export class WrittenNames {
  readonly #known = new Map<string, number>(KINDS);

  /** The kind of a lower-case token; undefined for what is no field name. */
  kindOf(name: string): number | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (!isLowerToken(name)) return undefined;
    if (this.#known.size < MAX_KNOWN && name.length <= MAX_INTERNED_BYTES)
      this.#known.set(detached(name), FieldKind.ordinary);
    return FieldKind.ordinary;
  }
}

/** True for a field name as this library keeps them. */
export function isLowerToken(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code > 127 || LOWER_TOKEN[code] !== code) return false;
  }
  return name.length > 0;
}
