/** Kubernetes quantities (`250m`, `64Mi`, `1e3`) as numbers. Pure. */

const SUFFIX: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Undefined when the text is no quantity. */
export function parseQuantity(text: string): number | undefined {
  const parts = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]{0,2})$/.exec(text);
  const factor = SUFFIX[parts?.[2] ?? "?"];
  if (parts === null || factor === undefined) return undefined;
  const value = Number(parts[1]) * factor;
  return Number.isFinite(value) ? value : undefined;
}

/** How many units `value` is, rounded up. */
export function formatInUnits(value: number, unit: number): string {
  // 250m / 1m must be 250, not 250.00000000000003 rounded up.
  return String(Math.ceil(Number((value / unit).toPrecision(12))));
}
