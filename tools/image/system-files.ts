/** The part of the root file system that comes from Debian: the programs we start, the libraries they and Node need, and no more. */

import type { DebianPackage } from "./debian-packages.ts";
import { isElf, readNeeds } from "./elf.ts";
import {
  type Entry,
  type FileTree,
  fileOf,
  followLinks,
  mergedPath,
  readFileOf,
  textFile,
} from "./file-tree.ts";
import type { Platform } from "./platform.ts";

/** Started by the node agent where eBPF cannot serve. */
const NFT = "usr/sbin/nft";
/** Loaded by the node agent at run time. */
const LIBBPF = "libbpf.so.1";
const CERTIFICATES = "usr/share/ca-certificates/mozilla/";

/**
 * @param programs by a name for messages: what else will run on these libraries
 * @throws when a library is in no package, or a package gives nothing: then the lock is wrong
 */
export function selectSystemFiles(
  packages: readonly DebianPackage[],
  programs: ReadonlyMap<string, Uint8Array>,
  platform: Platform,
): FileTree {
  const entries = new Map<string, Entry>();
  const owners = new Map<string, DebianPackage>();
  for (const owner of packages) {
    for (const [path, entry] of owner.files) {
      if (entry.kind === "folder") continue;
      entries.set(mergedPath(path), entry);
      owners.set(mergedPath(path), owner);
    }
  }
  const needed = followNeeds(entries, programs, platform);
  const certificates = [...entries.keys()].filter((path) => path.startsWith(CERTIFICATES));
  const licences = new Map(packages.map(({ name }) => [name, licencePath(entries, name)]));
  // A package may be there for the licence of another one; its own is no reason.
  const borrowed = packages.flatMap(({ name }) => {
    const path = licences.get(name) ?? "";
    return path === `usr/share/doc/${name}/copyright` ? [] : [path];
  });
  const useful = new Set([...needed.keys(), ...certificates, ...borrowed].map((path) => owners.get(path)));
  const idle = packages.filter((owner) => !useful.has(owner));
  if (idle.length > 0)
    throw new Error(
      `select Debian's files: expected every package of packages.lock.json to be needed, not ${idle.map(({ name }) => name).join(", ")}`,
    );
  return new Map([
    ...needed,
    ["etc/ssl/certs/ca-certificates.crt", joinFiles(entries, certificates)],
    ...packages.flatMap((owner) => documents(owner, entries, licences.get(owner.name) ?? "")),
  ]);
}

/** What is started or loaded, what that needs, and so on; with the links by which it is found. */
function followNeeds(
  entries: FileTree,
  programs: ReadonlyMap<string, Uint8Array>,
  platform: Platform,
): FileTree {
  const libraries = `usr/lib/${platform.triplet}`;
  const needed = new Map<string, Entry>();
  const takeNeeds = (program: Uint8Array, name: string): void => {
    const needs = readNeeds(program);
    if (needs.interpreter !== undefined) take(mergedPath(needs.interpreter.slice(1)), name);
    for (const library of needs.libraries) {
      // The loader itself is named among the libraries, and lies elsewhere on some architectures.
      if (!library.startsWith("ld-linux")) take(`${libraries}/${library}`, name);
    }
  };
  const take = (path: string, neededBy: string): void => {
    if (needed.has(path)) return;
    const way = followLinks(entries, path);
    if (way === undefined)
      throw new Error(
        `select Debian's files: ${neededBy} needs ${path}, which no package of packages.lock.json has`,
      );
    for (const step of way) {
      const entry = entries.get(step);
      if (entry !== undefined) needed.set(step, entry);
      if (entry?.kind === "file" && isElf(entry.content)) takeNeeds(entry.content, step);
    }
  };
  for (const [name, program] of programs) takeNeeds(program, name);
  take(NFT, "the node agent");
  take(`${libraries}/${LIBBPF}`, "the node agent");
  return needed;
}

function joinFiles(entries: FileTree, paths: readonly string[]): Entry {
  const texts = [...paths].sort().map(
    (path) =>
      `${Buffer.from(readFileOf(entries, path) ?? [])
        .toString()
        .trimEnd()}\n`,
  );
  return textFile(texts.join(""));
}

/** Some packages of one source have their documents in common: their folder is a link to another package's. */
function licencePath(entries: FileTree, name: string): string {
  const folder = `usr/share/doc/${name}`;
  const entry = entries.get(folder);
  return `${entry?.kind === "link" ? `usr/share/doc/${entry.target}` : folder}/copyright`;
}

/** The licence, and what vulnerability scanners read: Debian's own record of the package, where images without dpkg have it. */
function documents(owner: DebianPackage, entries: FileTree, licence: string): [string, Entry][] {
  const text = readFileOf(entries, licence);
  if (text === undefined)
    throw new Error(
      `select Debian's files: ${owner.name}: expected its licence at ${licence} in some package of packages.lock.json`,
    );
  return [
    [`usr/share/doc/${owner.name}/copyright`, fileOf(text)],
    [`var/lib/dpkg/status.d/${owner.name}`, textFile(owner.control)],
  ];
}
