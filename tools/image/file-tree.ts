/** Files of a root file system, in memory: what is put into a layer, and what is taken out of packages. */

export type Entry =
  | { readonly kind: "folder"; readonly mode: number }
  | { readonly kind: "file"; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly target: string };

/** By path from the root, without a slash at its beginning or end. */
export type FileTree = ReadonlyMap<string, Entry>;

export function textFile(text: string): Entry {
  return { kind: "file", mode: 0o644, content: Buffer.from(text) };
}

export function fileOf(content: Uint8Array, mode = 0o644): Entry {
  return { kind: "file", mode, content };
}

/** With every folder on the way to every entry, sorted, so that the same files are always the same layer. */
export function completeTree(tree: FileTree): FileTree {
  const complete = new Map<string, Entry>(tree);
  for (const path of tree.keys()) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      const folder = names.slice(0, depth).join("/");
      if (!complete.has(folder)) complete.set(folder, { kind: "folder", mode: 0o755 });
    }
  }
  return new Map([...complete].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A path, and where the links on its way lead inside the tree; the last one is a file. Undefined where none is. */
export function followLinks(tree: FileTree, path: string): readonly string[] | undefined {
  const way = [path];
  // As many links as Linux follows.
  while (way.length <= 40) {
    const at = way.at(-1) ?? path;
    const entry = tree.get(at);
    if (entry?.kind !== "link") return entry?.kind === "file" ? way : undefined;
    way.push(resolveLink(at, entry.target));
  }
  return undefined;
}

/** The content of the file that a path means. */
export function readFileOf(tree: FileTree, path: string): Uint8Array | undefined {
  const entry = tree.get(followLinks(tree, path)?.at(-1) ?? "");
  return entry?.kind === "file" ? entry.content : undefined;
}

function resolveLink(path: string, target: string): string {
  const parts = target.startsWith("/") ? [] : path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return mergedPath(parts.join("/"));
}

/** Debian's packages still name /lib and /sbin, which are links into /usr on every system of today, and in the image. */
export function mergedPath(path: string): string {
  return /^(bin|sbin|lib|lib64)(\/|$)/.test(path) ? `usr/${path}` : path;
}
