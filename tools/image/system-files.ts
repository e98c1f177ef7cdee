/** The part of the root file system that comes from Debian: the programs we start, the libraries they and Node need, and no more. */

import type { DebianPackage } from "./debian-packages.ts";
import { isElf, readNeeds } from "./elf.ts";
import { type Entry, type FileTree, followLinks, mergedPath, textFile } from "./file-tree.ts";
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
  const all = new Map<string, { readonly entry: Entry; readonly owner: DebianPackage }>();
  for (const owner of packages)
    for (const [path, entry] of owner.files)
      if (entry.kind !== "folder") all.set(mergedPath(path), { entry, owner });
  const entries = new Map([...all].map(([path, { entry }]) => [path, entry]));
  const chosen = new Set<string>();
  const libraries = `usr/lib/${platform.triplet}`;
  const choose = (path: string, neededBy: string): void => {
    if (chosen.has(path)) return;
    const file = followLinks(entries, path);
    const entry = file === undefined ? undefined : entries.get(file);
    if (file === undefined || entry?.kind !== "file")
      throw new Error(
        `select Debian's files: ${neededBy} needs ${path}, which no package of packages.lock.json has`,
      );
    chosen.add(path).add(file);
    if (isElf(entry.content)) chooseNeeds(entry.content, file);
  };
  const chooseNeeds = (program: Uint8Array, name: string): void => {
    const needs = readNeeds(program);
    if (needs.interpreter !== undefined) choose(mergedPath(needs.interpreter.slice(1)), name);
    for (const library of needs.libraries) {
      // The loader itself is named among the libraries, and lies elsewhere on some architectures.
      if (!library.startsWith("ld-linux")) choose(`${libraries}/${library}`, name);
    }
  };
  for (const [name, program] of programs) chooseNeeds(program, name);
  choose(NFT, "the node agent");
  choose(`${libraries}/${LIBBPF}`, "the node agent");
  const certificates = [...entries.keys()].filter((path) => path.startsWith(CERTIFICATES));
  const files = new Map<string, Entry>([
    ["etc/ssl/certs/ca-certificates.crt", joinFiles(entries, certificates)],
  ]);
  for (const path of chosen) {
    const entry = entries.get(path);
    if (entry !== undefined) files.set(path, entry);
  }
  const owners = new Set([...chosen, ...certificates].map((path) => all.get(path)?.owner));
  const idle = packages.filter((owner) => !owners.has(owner));
  if (idle.length > 0)
    throw new Error(
      `select Debian's files: expected every package of packages.lock.json to be needed, not ${idle.map(({ name }) => name).join(", ")}`,
    );
  for (const owner of packages) for (const [path, entry] of documents(owner)) files.set(path, entry);
  return files;
}

function joinFiles(entries: FileTree, paths: readonly string[]): Entry {
  const texts = [...paths].sort().map((path) => {
    const entry = entries.get(path);
    return entry?.kind === "file" ? `${Buffer.from(entry.content).toString().trimEnd()}\n` : "";
  });
  return textFile(texts.join(""));
}

/** The licence, and what vulnerability scanners read: Debian's own record of the package, where images without dpkg have it. */
function* documents(owner: DebianPackage): Iterable<[string, Entry]> {
  const copyright = `usr/share/doc/${owner.name}/copyright`;
  const file = followLinks(owner.files, copyright);
  const entry = file === undefined ? undefined : owner.files.get(file);
  if (entry !== undefined) yield [copyright, entry];
  yield [`var/lib/dpkg/status.d/${owner.name}`, textFile(owner.control)];
}
