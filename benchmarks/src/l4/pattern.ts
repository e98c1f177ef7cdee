/** Bytes that betray a loss, a repetition or a swap: their period is a prime, so no buffer's size divides it. */

const PERIOD = 131_071;
/** One write of the load generator; what Node reads at once is less. */
export const WRITE_BYTES: number = 128 * 1024;

const RING = makeRing();

function makeRing(): Buffer {
  const ring = Buffer.allocUnsafeSlow(PERIOD + WRITE_BYTES);
  // A linear congruential sequence: the same in both processes, and no short runs.
  let state = 12_345;
  for (let at = 0; at < PERIOD; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    ring[at] = state >>> 16;
  }
  ring.copy(ring, PERIOD, 0, WRITE_BYTES);
  return ring;
}

/** The pattern from `position` on; at most {@link WRITE_BYTES}. A view: do not change it. */
export function patternAt(position: number, length: number): Buffer {
  const at = position % PERIOD;
  return RING.subarray(at, at + length);
}

export function matchesPattern(chunk: Uint8Array, position: number): boolean {
  for (let at = 0; at < chunk.length; at += WRITE_BYTES) {
    const piece = chunk.subarray(at, at + WRITE_BYTES);
    if (patternAt(position + at, piece.length).compare(piece) !== 0) return false;
  }
  return true;
}
