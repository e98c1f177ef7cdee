import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { DebianPackage } from "./debian-packages.ts";
import { readNeeds } from "./elf.ts";
import { type Entry, fileOf, textFile } from "./file-tree.ts";
import { PLATFORMS } from "./platform.ts";
import { selectSystemFiles } from "./system-files.ts";

const platform = Object.values(PLATFORMS).find(({ node }) => node === process.arch);
assert.ok(platform);
const LIBRARIES = `usr/lib/${platform.triplet}`;
const programs = new Map([["node", readFileSync(process.execPath)]]);

/** This machine's libraries, as if one Debian package had them: what nft, libbpf and Node need, and theirs. */
function machineFiles(): Map<string, Entry> {
  const files = new Map<string, Entry>();
  const take = (path: string): void => {
    if (files.has(path) || !existsSync(`/${path}`)) return;
    const content = readFileSync(`/${path}`);
    files.set(path, fileOf(content, 0o755));
    const { interpreter, libraries } = readNeeds(content);
    if (interpreter !== undefined) take(interpreter.slice(1));
    for (const library of libraries) take(`${LIBRARIES}/${library}`);
  };
  take("usr/sbin/nft");
  take(`${LIBRARIES}/libbpf.so.1`);
  for (const library of readNeeds(readFileSync(process.execPath)).libraries) take(`${LIBRARIES}/${library}`);
  return files;
}

function packageOf(name: string, files: Iterable<[string, Entry]>): DebianPackage {
  const licence: [string, Entry] = [`usr/share/doc/${name}/copyright`, textFile(`licence of ${name}`)];
  return {
    name,
    version: "1",
    sha256: "",
    control: `Package: ${name}\n`,
    files: new Map([licence, ...files]),
  };
}

const certificate = ["usr/share/ca-certificates/mozilla/a.crt", textFile("A")] as const;

test("what programs need is taken, links and loader included, and nothing else", () => {
  const files = machineFiles();
  const library = `${LIBRARIES}/libm.so.6`;
  const real = files.get(library);
  assert.ok(real);
  // As Debian ships many: a link to the file with the whole version, under a path before the merge of /usr.
  files.set(library, { kind: "link", target: "libm.so.6.1.2" });
  files.set(`lib/${platform?.triplet}/libm.so.6.1.2`, real);
  files.set(`${LIBRARIES}/libunused.so`, textFile("unused"));
  files.set(...certificate);
  const selected = selectSystemFiles([packageOf("all", files)], programs, platform);
  for (const path of [
    "usr/sbin/nft",
    `${LIBRARIES}/libbpf.so.1`,
    `${LIBRARIES}/libstdc++.so.6`,
    library,
    `${library}.1.2`,
  ])
    assert.ok(selected.has(path), path);
  assert.ok(
    [...selected.keys()].some((path) => /^usr\/lib.*\/ld-linux-/.test(path)),
    "the loader",
  );
  assert.equal(selected.has(`${LIBRARIES}/libunused.so`), false);
  assert.deepEqual(selected.get("etc/ssl/certs/ca-certificates.crt"), textFile("A\n"));
  assert.deepEqual(selected.get("usr/share/doc/all/copyright"), textFile("licence of all"));
  assert.deepEqual(selected.get("var/lib/dpkg/status.d/all"), textFile("Package: all\n"));
});

test("a library that no package has is named, with who needs it", () => {
  const files = machineFiles();
  files.delete(`${LIBRARIES}/libstdc++.so.6`);
  assert.throws(
    () => selectSystemFiles([packageOf("all", files)], programs, platform),
    /node needs usr\/lib\/.*\/libstdc\+\+\.so\.6, which no package/,
  );
});

test("packages may share documents, and the one that has them is needed for that", () => {
  const base = packageOf("base", []);
  const files: [string, Entry][] = [
    ...machineFiles(),
    ["usr/share/doc/all", { kind: "link", target: "base" }],
  ];
  const all: DebianPackage = { ...packageOf("all", []), files: new Map(files) };
  const selected = selectSystemFiles([all, base], programs, platform);
  assert.deepEqual(selected.get("usr/share/doc/all/copyright"), textFile("licence of base"));
  assert.throws(
    () => selectSystemFiles([all], programs, platform),
    /all: expected its licence at usr\/share\/doc\/base/,
  );
});

test("a package of which nothing is needed does not belong into the lock", () => {
  const idle = packageOf("idle", new Map([["usr/bin/idle", textFile("")]]));
  assert.throws(
    () => selectSystemFiles([packageOf("all", machineFiles()), idle], programs, platform),
    /expected every package of packages\.lock\.json to be needed, not idle/,
  );
});
