/** `deploy/images/packages.lock.json`: the Debian packages of the image, exact to the byte. */

export interface PackagesLock {
  /** Debian's release. */
  readonly suite: string;
  /** When the versions were the newest: a moment that snapshot.debian.org knows, as `20261122T000000Z`. */
  readonly snapshot: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface LockedPackage {
  readonly version: string;
  /** Of the .deb file, by Debian's name of the architecture. */
  readonly sha256: Readonly<Record<string, string>>;
}

/** @throws on what is no such lock, naming the place */
export function parsePackagesLock(text: string): PackagesLock {
  const lock = JSON.parse(text) as Partial<PackagesLock> | null;
  const { suite, snapshot, packages } = lock ?? {};
  if (typeof suite !== "string" || !/^[a-z]+$/.test(suite)) throw bad("suite", "a release of Debian", suite);
  if (typeof snapshot !== "string" || !/^\d{8}T\d{6}Z$/.test(snapshot))
    throw bad("snapshot", "a time such as 20261122T000000Z", snapshot);
  if (typeof packages !== "object" || packages === null) throw bad("packages", "packages by name", packages);
  for (const [name, entry] of Object.entries(packages)) checkPackage(name, entry);
  return { suite, snapshot, packages };
}

function checkPackage(name: string, entry: LockedPackage | null): void {
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name)) throw bad("packages", "a Debian package's name", name);
  if (typeof entry !== "object" || entry === null) throw bad(name, "a package's version and sums", entry);
  if (typeof entry.version !== "string" || !/^[0-9][A-Za-z0-9.+~:-]*$/.test(entry.version))
    throw bad(`${name}.version`, "a Debian version", entry.version);
  for (const [architecture, sum] of Object.entries(entry.sha256 ?? {}))
    if (!/^[0-9a-f]{64}$/.test(sum))
      throw bad(`${name}.sha256.${architecture}`, "64 hexadecimal digits", sum);
}

function bad(place: string, expected: string, got: unknown): Error {
  return new Error(`packages.lock.json: ${place}: expected ${expected}, got ${JSON.stringify(got)}`);
}
