import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePackagesLock } from "./packages-lock.ts";
import { PLATFORMS } from "./platform.ts";

const PATH = join(import.meta.dirname, "../../deploy/images/packages.lock.json");

test("the project's lock has every package for every platform", () => {
  for (const [name, { sha256 }] of Object.entries(parsePackagesLock(readFileSync(PATH, "utf8")).packages))
    assert.deepEqual(
      Object.keys(sha256).sort(),
      Object.values(PLATFORMS).map(({ debian }) => debian),
      name,
    );
});

const whole = { suite: "bookworm", snapshot: "20261122T133907Z", packages: {} };
const sum = "a".repeat(64);
const refusals = [
  { name: "no object", lock: null, want: /suite: expected a release/ },
  { name: "no time", lock: { ...whole, snapshot: "yesterday" }, want: /snapshot: expected a time/ },
  { name: "no packages", lock: { ...whole, packages: undefined }, want: /packages: expected/ },
  {
    name: "an option for a name",
    lock: { ...whole, packages: { "-o": {} } },
    want: /a Debian package's name, got "-o"/,
  },
  {
    name: "an empty package",
    lock: { ...whole, packages: { libc6: null } },
    want: /libc6: expected a package's version/,
  },
  {
    name: "a strange version",
    lock: { ...whole, packages: { libc6: { version: "1 -o x", sha256: {} } } },
    want: /a Debian version/,
  },
  {
    name: "a short sum",
    lock: { ...whole, packages: { libc6: { version: "1", sha256: { amd64: sum.slice(1) } } } },
    want: /libc6\.sha256\.amd64: expected 64 hexadecimal digits/,
  },
];
for (const { name, lock, want } of refusals)
  test(`refused: ${name}`, () => assert.throws(() => parsePackagesLock(JSON.stringify(lock)), want));
