/**
 * The program `istio-cni` that the container runtime starts: a shell script (every node has a shell, none has Node), and beside it what
 * it runs. All of it lies in the host's plugin folder, so that it works while the agent is away.
 */

import { constants } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { writeAtomically } from "./atomic-file.ts";
import { PLUGIN_TYPE } from "./conf-file.ts";

export interface PluginPayload {
  /** The plugin's sources; the first is its main program. They import each other and Node's own modules, nothing else. */
  readonly sources: readonly string[];
  /** This process's Node. */
  readonly node: string;
  /** The host's root as seen from here, to tell whether the host has the same Node at the same place. */
  readonly hostRoot: string;
}

/** No runtime takes a folder for a plugin. */
const FILES_FOLDER = ".istio-cni";

/** Replaces an older one file by file, each in one step: a runtime may be starting it right now. */
export async function installPlugin(binFolder: string, payload: PluginPayload): Promise<void> {
  const files = join(binFolder, FILES_FOLDER);
  await mkdir(files, { recursive: true, mode: 0o755 });
  for (const source of payload.sources)
    await writeAtomically(
      join(files, programName(source)),
      withoutTypes(await readFile(source, "utf8")),
      0o644,
    );
  const shared = await isSameFile(payload.node, join(payload.hostRoot, payload.node));
  if (!shared) await copyNode(payload.node, join(files, "node"));
  const main = programName(payload.sources[0] ?? "");
  await writeAtomically(
    join(binFolder, PLUGIN_TYPE),
    renderWrapper(shared ? payload.node : undefined, main),
    0o755,
  );
}

export async function isPluginInstalled(binFolder: string): Promise<boolean> {
  const found = await stat(join(binFolder, PLUGIN_TYPE)).catch(() => undefined);
  return found?.isFile() === true;
}

export async function removePlugin(binFolder: string): Promise<void> {
  await rm(join(binFolder, PLUGIN_TYPE), { force: true });
  await rm(join(binFolder, FILES_FOLDER), { recursive: true, force: true });
}

/** `node` undefined: the copy beside it. */
export function renderWrapper(node: string | undefined, main: string): string {
  const folder = `"\${0%/*}/${FILES_FOLDER}/`;
  const program = node === undefined ? `${folder}node"` : `'${node.replaceAll("'", `'\\''`)}'`;
  return `#!/bin/sh\nexec ${program} ${folder}${main}"\n`;
}

function programName(source: string): string {
  return `${basename(source, ".ts")}.mjs`;
}

/** Stripping types at every start of the plugin would take as long as all the rest: 40 of 90 ms. */
function withoutTypes(source: string): string {
  return stripTypeScriptTypes(source).replaceAll(/(from |import\()"\.\/([a-z-]+)\.ts"/g, '$1"./$2.mjs"');
}

async function isSameFile(here: string, there: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(here), stat(there).catch(() => undefined)]);
  return a.size === b?.size && a.mtimeMs === b.mtimeMs;
}

async function copyNode(from: string, to: string): Promise<void> {
  const temporary = `${to}.new`;
  await copyFile(from, temporary, constants.COPYFILE_FICLONE);
  await chmod(temporary, 0o755);
  await rename(temporary, to);
}
