/** Versions such as 1.2.3, v1.2 and 1.2.3-rc.1, of which what follows the numbers is not compared. Pure. */

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Undefined for what is none. */
export function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+.].*)?$/s.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

export function isNewer(a: Version, b: Version): boolean {
  return (
    a.major - b.major > 0 ||
    (a.major === b.major && (a.minor > b.minor || (a.minor === b.minor && a.patch > b.patch)))
  );
}
