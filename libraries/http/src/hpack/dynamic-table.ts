import type { HeaderEntry } from "./header-entry.ts";

/** RFC 7541 §4.1: the least that an entry counts for. */
const LEAST_ENTRY_BYTES = 32;

/** The dynamic table of RFC 7541 §2.3.2: first in, first out, bounded in bytes; a ring, so nothing is ever shifted. */
export class DynamicTable {
  readonly #ring: (HeaderEntry | undefined)[] = [];
  readonly #capacity: number;
  #bytes = 0;
  #limitBytes: number;
  /** Entries that ever came in, and that went out. */
  inserted = 0;
  evicted = 0;

  /** `limitBytes` is also the most that {@link resize} may ask for later. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#capacity = Math.floor(limitBytes / LEAST_ENTRY_BYTES) + 1;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  resize(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#evict();
  }

  /** An entry larger than the whole table empties it (RFC 7541 §4.4). */
  insert(entry: HeaderEntry): void {
    this.#bytes += entry.bytes;
    this.#evict();
    if (this.#bytes > this.#limitBytes) {
      this.#bytes -= entry.bytes;
      this.inserted++;
      this.evicted++;
      return;
    }
    this.#ring[this.inserted % this.#capacity] = entry;
    this.inserted++;
  }

  /** 1 is the newest entry; undefined when there are not so many. */
  entry(position: number): HeaderEntry | undefined {
    const number = this.inserted - position;
    return number < this.evicted || position < 1 ? undefined : this.#ring[number % this.#capacity];
  }

  #evict(): void {
    while (this.#bytes > this.#limitBytes && this.evicted < this.inserted) {
      const slot = this.evicted % this.#capacity;
      this.#bytes -= this.#ring[slot]?.bytes ?? 0;
      this.#ring[slot] = undefined;
      this.evicted++;
    }
  }
}
