/** Everything that is in the image, in layers: what changes rarely comes first, so that an upgrade fetches only our own code. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { accountFiles } from "./account-files.ts";
import { bundleComponents, HOME } from "./bundle.ts";
import { openDebianPackages } from "./debian-packages.ts";
import { withoutUnloadedTail } from "./elf.ts";
import { completeTree, type Entry, type FileTree, fileOf, textFile } from "./file-tree.ts";
import { type NpmLock, type NpmSource, openNpmPackage } from "./npm-package.ts";
import { parsePackagesLock } from "./packages-lock.ts";
import type { Platform } from "./platform.ts";
import { selectSystemFiles } from "./system-files.ts";

export const NODE = "usr/local/bin/node";

export interface ContentsOptions {
  readonly projectFolder: string;
  readonly cacheFolder: string;
  readonly platform: Platform;
  readonly version: string;
  readonly fromSnapshot: boolean;
}

export interface Layer {
  /** What it holds, for the image's history. */
  readonly name: string;
  readonly files: FileTree;
}

export async function makeLayers(
  options: ContentsOptions,
  say: (text: string) => void,
): Promise<readonly Layer[]> {
  const { projectFolder, cacheFolder, platform } = options;
  const read = (path: string): Promise<string> => readFile(join(projectFolder, path), "utf8");
  const npmLock = (JSON.parse(await read("package-lock.json")) as { packages: NpmLock }).packages;
  const lock = parsePackagesLock(await read("deploy/images/packages.lock.json"));
  const npm: NpmSource = { projectFolder, cacheFolder: join(cacheFolder, "npm"), lock: npmLock };
  const node = await nodeFiles(npm, platform);
  const koffi = await koffiFiles(npm, platform);
  const debian = await openDebianPackages(
    {
      lock,
      architecture: platform.debian,
      cacheFolder: join(cacheFolder, "debian"),
      fromSnapshot: options.fromSnapshot,
    },
    say,
  );
  const system = selectSystemFiles(debian, programsOf([node, koffi]), platform);
  const bundles = await bundleComponents(projectFolder);
  const mesh = new Map<string, Entry>([
    ...koffi,
    ...bundles.files,
    [`${HOME}/version`, textFile(`${options.version}\n`)],
  ]);
  return [
    {
      name: `packages of Debian ${lock.suite}`,
      files: completeTree(new Map([...accountFiles(lock.suite), ...system.files])),
    },
    { name: "Node.js", files: completeTree(node) },
    { name: "Meltemi", files: completeTree(mesh) },
  ];
}

async function nodeFiles(npm: NpmSource, platform: Platform): Promise<FileTree> {
  const files = await openNpmPackage(
    npm,
    `node-linux-${platform.node}`,
    (path) => path === "bin/node" || path === "LICENSE",
  );
  const program = contentOf(files, "bin/node");
  return new Map([
    // A fifth of a download less: nothing of the tail is ever loaded.
    [NODE, fileOf(withoutUnloadedTail(program), 0o755)],
    ["usr/share/doc/node/copyright", fileOf(contentOf(files, "LICENSE"))],
  ]);
}

async function koffiFiles(npm: NpmSource, platform: Platform): Promise<FileTree> {
  const native = `@koromix/koffi-linux-${platform.node}`;
  const folder = `linux_${platform.node}`;
  const packages = {
    koffi: await openNpmPackage(npm, "koffi", (path) =>
      /^(package\.json|index\.js|src\/koffi\/(src\/)?[a-z]+\.js)$/.test(path),
    ),
    [native]: await openNpmPackage(
      npm,
      native,
      (path) => /^(package\.json|index\.js)$/.test(path) || path === `${folder}/koffi.node`,
    ),
  };
  const files = new Map<string, Entry>();
  for (const [name, tree] of Object.entries(packages))
    for (const [path, entry] of tree) files.set(`${HOME}/node_modules/${name}/${path}`, entry);
  return files;
}

function programsOf(trees: readonly FileTree[]): ReadonlyMap<string, Uint8Array> {
  const programs = trees.flatMap((tree) =>
    [...tree].flatMap(([path, entry]): [string, Uint8Array][] =>
      entry.kind === "file" && /(\/node|\.node)$/.test(path) ? [[path, entry.content]] : [],
    ),
  );
  return new Map(programs);
}

function contentOf(files: FileTree, path: string): Uint8Array {
  const entry = files.get(path);
  if (entry?.kind !== "file") throw new Error(`npm package: expected the file ${path}`);
  return entry.content;
}
