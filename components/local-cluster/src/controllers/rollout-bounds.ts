/** `maxSurge` and `maxUnavailable`: numbers or percentages of the wanted count. */

/** Surplus rounds up, missing rounds down; both zero would never move, so one may then be missing. */
export function rolloutBounds(
  strategy: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string } | undefined,
  wanted: number,
): { readonly surge: number; readonly unavailable: number } {
  const surge = share(strategy?.maxSurge ?? "25%", wanted, Math.ceil);
  const unavailable = share(strategy?.maxUnavailable ?? "25%", wanted, Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** An amount that is neither a number nor a percentage counts as none. */
export function share(value: number | string, wanted: number, round: (value: number) => number): number {
  if (typeof value === "number") return Math.max(0, Math.trunc(value));
  const percent = /^(\d{1,4})%$/.exec(value);
  if (percent !== null) return round((wanted * Number(percent[1])) / 100);
  return /^\d{1,9}$/.test(value) ? Number(value) : 0;
}
