import type { HeaderField } from "../headers.ts";
import { fieldBytes, STATIC_TABLE } from "./static-table.ts";

/** The dynamic table of RFC 7541 §2.3.2: first in, first out, bounded in bytes. Index 0 is the newest entry. */
export class DynamicTable {
  readonly #entries: HeaderField[] = [];
  #bytes = 0;
  #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  get length(): number {
    return this.#entries.length;
  }

  resize(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#evict();
  }

  /** An entry larger than the whole table empties it (RFC 7541 §4.4). */
  insert(field: HeaderField): void {
    // At most 128 entries of 32 bytes and more fit into 4096 bytes, so shifting the array is cheap.
    this.#entries.unshift(field);
    this.#bytes += fieldBytes(field);
    this.#evict();
  }

  /** By HPACK index, 1 up, static entries first; undefined when there is no such entry. */
  entry(index: number): HeaderField | undefined {
    return index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#entries[index - STATIC_TABLE.length - 1];
  }

  /** HPACK index of this very field; 0 when it is not in the dynamic table. */
  indexOf(name: string, value: string): number {
    for (const [position, field] of this.#entries.entries()) {
      if (field[1] === value && field[0] === name) return STATIC_TABLE.length + 1 + position;
    }
    return 0;
  }

  #evict(): void {
    while (this.#bytes > this.#limitBytes) {
      const oldest = this.#entries.pop();
      if (oldest === undefined) return;
      this.#bytes -= fieldBytes(oldest);
    }
  }
}
