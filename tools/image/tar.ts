/** Tar archives: written so that the same files are the same bytes (ustar, one owner, one time), read from Debian's and npm's packages. */

import { type Entry, type FileTree, fileOf } from "./file-tree.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Debian's longest path has 160. */
const MAX_LONG_NAME_BYTES = 4096;

/** @param mtimeSeconds of every entry. All belong to root. @throws on a path that the format has no room for */
export function writeTar(tree: FileTree, mtimeSeconds = 0): Buffer {
  const parts: Uint8Array[] = [];
  for (const [path, entry] of tree) {
    parts.push(header(path, entry, mtimeSeconds));
    if (entry.kind !== "file") continue;
    parts.push(entry.content, new Uint8Array(padding(entry.content.length)));
  }
  parts.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(parts);
}

function header(path: string, entry: Entry, mtimeSeconds: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const { prefix, name } = splitPath(entry.kind === "folder" ? `${path}/` : path);
  const link = entry.kind === "link" ? entry.target : "";
  if (Buffer.byteLength(link) > NAME_BYTES)
    throw new Error(
      `write tar: ${path}: expected a link's target of at most ${NAME_BYTES} bytes, got ${link}`,
    );
  block.write(name, 0);
  octal(block, 100, 8, entry.kind === "link" ? 0o777 : entry.mode);
  octal(block, 108, 8, 0);
  octal(block, 116, 8, 0);
  octal(block, 124, 12, entry.kind === "file" ? entry.content.length : 0);
  octal(block, 136, 12, mtimeSeconds);
  block.write({ file: "0", link: "2", folder: "5" }[entry.kind], 156);
  block.write(link, 157);
  block.write("ustar\x0000", 257, "latin1");
  block.write(prefix, 345);
  // The sum is taken with spaces in its own place.
  block.fill(" ", 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= NAME_BYTES) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= PREFIX_BYTES && name !== "" && Buffer.byteLength(name) <= NAME_BYTES)
      return { prefix, name };
  }
  throw new Error(
    `write tar: expected a path that splits into ${PREFIX_BYTES} and ${NAME_BYTES} bytes, got ${path}`,
  );
}

function octal(block: Buffer, at: number, width: number, value: number): void {
  block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
}

function padding(length: number): number {
  return (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES;
}

/**
 * Files, folders and links (a hard link becomes the file again), paths without `./`. Understands ustar, GNU's long names and the
 * path and link of a pax header. The files are views of `archive`.
 * @throws on anything else, on a path that leaves the archive and on a cut archive
 */
export function readTar(archive: Buffer): FileTree {
  const tree = new Map<string, Entry>();
  let long: LongNames = {};
  for (let at = 0; at + BLOCK_BYTES <= archive.length; ) {
    const block = archive.subarray(at, at + BLOCK_BYTES);
    if (block[0] === 0) return tree;
    const size = readOctal(block, 124, 12);
    const content = archive.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + size);
    if (content.length < size)
      throw new Error(`read tar: expected ${size} bytes at ${at}, the archive is cut`);
    at += BLOCK_BYTES + size + padding(size);
    const type = String.fromCharCode(block[156] ?? 0);
    if ("LKxg".includes(type)) {
      long = { ...long, ...readLongName(type, content) };
      continue;
    }
    const path = cleanPath(long.path ?? fullName(block));
    const target = long.target ?? text(block.subarray(157, 257));
    if (path !== "") tree.set(path, readEntry(tree, path, { block, type, content, target }));
    long = {};
  }
  throw new Error("read tar: expected an empty block at the end, the archive is cut");
}

/** What entries before an entry say of it, where its own header has no room. */
interface LongNames {
  readonly path?: string;
  readonly target?: string;
}

function readLongName(type: string, content: Buffer): LongNames {
  if (content.length > MAX_LONG_NAME_BYTES)
    throw new Error(
      `read tar: expected a name of at most ${MAX_LONG_NAME_BYTES} bytes, got ${content.length}`,
    );
  if (type === "L") return { path: text(content) };
  if (type === "K") return { target: text(content) };
  if (type === "g") return {};
  const [, path] = /^\d+ path=(.*)$/m.exec(content.toString()) ?? [];
  const [, target] = /^\d+ linkpath=(.*)$/m.exec(content.toString()) ?? [];
  return { ...(path !== undefined && { path }), ...(target !== undefined && { target }) };
}

interface RawEntry {
  readonly block: Buffer;
  readonly type: string;
  readonly content: Buffer;
  readonly target: string;
}

function readEntry(tree: FileTree, path: string, { block, type, content, target }: RawEntry): Entry {
  const mode = readOctal(block, 100, 8) & 0o7777;
  switch (type) {
    case "0":
    case "\0":
      return fileOf(content, mode);
    case "1": {
      const same = tree.get(cleanPath(target));
      if (same === undefined) throw new Error(`read tar: ${path}: expected ${target} before its other name`);
      return same;
    }
    case "2":
      return { kind: "link", target };
    case "5":
      return { kind: "folder", mode };
    default:
      throw new Error(`read tar: ${path}: expected a file, folder or link, got type ${JSON.stringify(type)}`);
  }
}

function fullName(block: Buffer): string {
  const name = text(block.subarray(0, NAME_BYTES));
  // GNU's own format has times where ustar has the prefix.
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function cleanPath(path: string): string {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw new Error(`read tar: expected a path inside the archive, got ${path}`);
  return names.join("/");
}

function readOctal(block: Buffer, at: number, width: number): number {
  const digits = text(block.subarray(at, at + width)).trim();
  if (!/^[0-7]*$/.test(digits))
    throw new Error(`read tar: expected an octal number, got ${JSON.stringify(digits)}`);
  return Number.parseInt(`0${digits}`, 8);
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}
