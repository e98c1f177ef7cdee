/** Shares of requests, as fine as Envoy's: a millionth. */

const GRAIN = 1_000_000;

/** True for `percent` of the calls, to 0.0001; smaller shares are none. `random` in [0, 1). */
export function happens(percent: number, random: () => number): boolean {
  const share = Math.round(percent * (GRAIN / 100));
  if (share <= 0) return false;
  return share >= GRAIN || Math.floor(random() * GRAIN) < share;
}
