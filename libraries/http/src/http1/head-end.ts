/** Finds the empty line that ends a head or trailers, however the bytes were cut; looks at every byte once. */

import { CR, LF } from "./characters.ts";

/** A line ended with LF alone: one side would see a line where another sees none. */
export const BARE_LF = -1;

export class HeadEnd {
  /** How far it has looked and where the current line begins, from the start of the head. */
  #looked = 0;
  #line = 0;

  /** Bytes of the head that begins at `start`, its empty line included; zero when more are needed; or {@link BARE_LF}. */
  find(bytes: Uint8Array, start: number, end: number): number {
    let at = start + this.#looked;
    let line = start + this.#line;
    for (; at < end; at++) {
      if (bytes[at] !== LF) continue;
      if (at === line || bytes[at - 1] !== CR) return BARE_LF;
      if (at - line === 1) {
        this.reset();
        return at + 1 - start;
      }
      line = at + 1;
    }
    this.#looked = at - start;
    this.#line = line - start;
    return 0;
  }

  reset(): void {
    this.#looked = 0;
    this.#line = 0;
  }
}
