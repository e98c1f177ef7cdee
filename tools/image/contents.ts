/** Everything that is in the image, in layers: what changes rarely comes first, so that an upgrade fetches only our own code. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { accountFiles } from "./account-files.ts";
import { bundleComponents, HOME } from "./bundle.ts";
import { openDebianPackages } from "./debian-packages.ts";
import { withoutUnloadedTail } from "./elf.ts";
import { completeTree, type Entry, type FileTree, fileOf, textFile } from "./file-tree.ts";
import { collectLicences, nameOf } from "./licences.ts";
import { type LockedNpmPackage, type NpmLock, type NpmSource, openNpmPackage } from "./npm-package.ts";
import { parsePackagesLock } from "./packages-lock.ts";
import type { Platform } from "./platform.ts";
import { type NodeInventory, renderSbom } from "./sbom.ts";
import { selectSystemFiles } from "./system-files.ts";

export const NODE = "usr/local/bin/node";
const SHARE = "usr/share/meltemi";

export interface ContentsOptions {
  readonly projectFolder: string;
  readonly cacheFolder: string;
  readonly platform: Platform;
  readonly version: string;
  /** RFC 3339, whole seconds. */
  readonly created: string;
  readonly fromSnapshot: boolean;
}

export interface Contents {
  readonly layers: readonly Layer[];
  readonly sbom: string;
}

export interface Layer {
  /** What it holds, for the image's history. */
  readonly name: string;
  readonly files: FileTree;
}

export async function makeContents(options: ContentsOptions, say: (text: string) => void): Promise<Contents> {
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
  const paths = [...bundles.packages, ...koffiPackages(platform).map((name) => `node_modules/${name}`)];
  const packages = lockedPackages(npmLock, paths);
  const sbom = renderSbom({
    version: options.version,
    architecture: platform.architecture,
    created: options.created,
    npm: [...packages].map(([path, entry]) => ({ ...entry, name: nameOf(path) })),
    debian,
    node: nodeInventory(node, npmLock, platform),
  });
  const mesh = new Map<string, Entry>([
    ...koffi,
    ...bundles.files,
    [`${HOME}/version`, textFile(`${options.version}\n`)],
    [`${SHARE}/LICENSE`, textFile(await read("LICENSE"))],
    [`${SHARE}/third-party-licences.txt`, textFile(await collectLicences(projectFolder, packages))],
    [`${SHARE}/sbom.spdx.json`, textFile(sbom)],
  ]);
  const base = new Map([...accountFiles(lock.suite), ...system]);
  return {
    layers: [
      { name: `packages of Debian ${lock.suite}`, files: completeTree(base) },
      { name: "Node.js", files: completeTree(node) },
      { name: "Meltemi", files: completeTree(mesh) },
    ],
    sbom,
  };
}

function lockedPackages(lock: NpmLock, paths: readonly string[]): ReadonlyMap<string, LockedNpmPackage> {
  return new Map(
    [...paths].sort().map((path) => {
      const entry = lock[path];
      if (entry === undefined)
        throw new Error(`package-lock.json: expected ${path}, of which the image has a part`);
      return [path, entry];
    }),
  );
}

/** @throws when run by another Node than the image's: what is linked into that one, only it knows */
function nodeInventory(files: FileTree, lock: NpmLock, platform: Platform): NodeInventory {
  const version = lock[`node_modules/node-linux-${platform.node}`]?.version;
  const { node, modules: _, ...libraries } = process.versions;
  if (version !== node)
    throw new Error(`build image: expected to be run by Node ${version}, as npm run image does, not ${node}`);
  return {
    version,
    sha256: createHash("sha256").update(contentOf(files, NODE)).digest("hex"),
    libraries: Object.fromEntries(
      Object.entries(libraries).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
    ),
  };
}

async function nodeFiles(npm: NpmSource, platform: Platform): Promise<FileTree> {
  const files = await openNpmPackage(
    npm,
    `node-linux-${platform.node}`,
    (path) => path === "bin/node" || path === "LICENSE",
  );
  const program = contentOf(files, "bin/node");
  return new Map([
    // 18 of 127 MB, and a tenth of the download: nothing of the tail is ever loaded.
    [NODE, fileOf(withoutUnloadedTail(program), 0o755)],
    ["usr/share/doc/node/copyright", fileOf(contentOf(files, "LICENSE"))],
  ]);
}

const koffiPackages = (platform: Platform): [string, string] => [
  "koffi",
  `@koromix/koffi-linux-${platform.node}`,
];

async function koffiFiles(npm: NpmSource, platform: Platform): Promise<FileTree> {
  const [koffi, native] = koffiPackages(platform);
  const library = `linux_${platform.node}/koffi.node`;
  const packages = {
    [koffi]: await openNpmPackage(npm, koffi, (path) =>
      /^(package\.json|index\.js|src\/koffi\/(src\/)?[a-z]+\.js)$/.test(path),
    ),
    [native]: await openNpmPackage(
      npm,
      native,
      (path) => /^(package\.json|index\.js)$/.test(path) || path === library,
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
