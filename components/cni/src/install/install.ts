/**
 * Puts the plugin on the node and keeps it there: program files into the CNI binary folder, an entry into the network list. Whoever
 * rewrites the list (a CNI's own installer) finds the entry back within a second.
 */

import { constants } from "node:fs";
import {
  access,
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  watch,
  writeFile,
} from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { type Clock, delay, describeError, type Logger, MeshError } from "@meltemi/runtime";
import { chainPlugin, chooseConfFile, type Edited, PLUGIN_TYPE, unchainPlugin } from "./conflist.ts";

export interface InstallerOptions {
  readonly binFolder: string;
  readonly confFolder: string;
  readonly confName: string | undefined;
  readonly runFolder: string;
  readonly excludeNamespaces: ReadonlySet<string>;
  /** Path of the plugin's source, a single file. */
  readonly pluginSource: string;
  /** This process's Node, and the host's root as seen from here, to tell whether the host has the same file. */
  readonly nodeProgram: string;
  readonly hostRoot: string;
}

export interface Installer {
  /** Resolves when program and entry are in place; waits for a network list to join. */
  install(signal: AbortSignal): Promise<void>;
  /** Repairs what is changed by others, until the signal. */
  keep(signal: AbortSignal, onRepair: () => void): Promise<void>;
  /** Takes the entry out, then removes the program. */
  uninstall(): Promise<void>;
}

/** Files beside the program, in a folder that no runtime takes for a plugin. */
const FILES_FOLDER = ".istio-cni";
const PLUGIN_FILE = "plugin.mjs";
/** Also when the watch misses something. */
const CHECK_EVERY_MS = 1_000;

export function createInstaller(
  options: InstallerOptions,
  deps: { readonly clock: Clock; readonly log: Logger },
): Installer {
  const { binFolder, confFolder } = options;
  const settings = { runFolder: options.runFolder, excludeNamespaces: [...options.excludeNamespaces] };
  const program = join(binFolder, PLUGIN_TYPE);
  const files = join(binFolder, FILES_FOLDER);

  const confFile = async (): Promise<string | undefined> => {
    const names = await readdir(confFolder).catch((): string[] => []);
    const name = options.confName ?? chooseConfFile(names);
    return name !== undefined && names.includes(name) ? join(confFolder, name) : undefined;
  };
  const inPlace = async (): Promise<boolean> => {
    const path = await confFile();
    if (path === undefined || (await readFile(program, "utf8").catch(() => "")) === "") return false;
    const edited = chainPlugin(await readFile(path, "utf8"), settings);
    return edited.kind === "ok" && !edited.changed;
  };
  const chain = async (): Promise<boolean> => {
    const path = await confFile();
    if (path === undefined) return false;
    const edited = chainPlugin(await readFile(path, "utf8"), settings);
    await replaceList(path, edited, true);
    return true;
  };
  const installOnce = async (): Promise<boolean> => {
    await installProgram(options, program, files);
    // The list last: it must never name a program that is not there.
    return chain();
  };
  return {
    async install(signal) {
      for (let told = false; !(await installOnce()); told = true) {
        if (!told) deps.log.info("waiting for a CNI network list to join", { folder: confFolder });
        await delay(deps.clock, CHECK_EVERY_MS, signal);
      }
    },
    async keep(signal, onRepair) {
      while (!signal.aborted) {
        await somethingChanged(confFolder, deps.clock, signal);
        if (signal.aborted || (await inPlace())) continue;
        try {
          if (await installOnce()) onRepair();
        } catch (error) {
          deps.log.warn("could not repair the CNI installation", { why: describeError(error) });
        }
      }
    },
    async uninstall() {
      const path = await confFile();
      if (path !== undefined) await replaceList(path, unchainPlugin(await readFile(path, "utf8")), false);
      await rm(program, { force: true });
      await rm(files, { recursive: true, force: true });
    },
  };
}

/** A plugin source, a Node to run it when the host has not the same one, and the program that starts the two. */
async function installProgram(options: InstallerOptions, program: string, files: string): Promise<void> {
  await mkdir(files, { recursive: true, mode: 0o755 });
  // Without types: stripping them at every start would take as long as all the rest, 40 of 90 ms.
  const source = stripTypeScriptTypes(await readFile(options.pluginSource, "utf8"));
  await replaceFile(join(files, PLUGIN_FILE), source, 0o644);
  const shared = await isSameFile(options.nodeProgram, join(options.hostRoot, options.nodeProgram));
  if (!shared) await copyNode(options.nodeProgram, join(files, "node"));
  await replaceFile(program, wrapperScript(shared ? options.nodeProgram : undefined), 0o755);
}

/** The program that runtimes start. `nodeProgram` undefined: the copy beside it. */
export function wrapperScript(nodeProgram: string | undefined): string {
  const folder = `"\${0%/*}/${FILES_FOLDER}/`;
  const node = nodeProgram === undefined ? `${folder}node"` : `'${nodeProgram.replaceAll("'", `'\\''`)}'`;
  return `#!/bin/sh\nexec ${node} ${folder}${PLUGIN_FILE}"\n`;
}

async function isSameFile(here: string, there: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(here), stat(there).catch(() => undefined)]);
  return b !== undefined && a.size === b.size;
}

async function copyNode(from: string, to: string): Promise<void> {
  const there = await stat(to).catch(() => undefined);
  if (there?.size === (await stat(from)).size) return;
  const temporary = `${to}.new`;
  await copyFile(from, temporary, constants.COPYFILE_FICLONE);
  await chmod(temporary, 0o755);
  await rename(temporary, to);
}

async function replaceList(path: string, edited: Edited, chained: boolean): Promise<void> {
  if (edited.kind === "bad")
    throw new MeshError("CONFIG_INVALID", `edit CNI network list ${path}: ${edited.why}`);
  if (!edited.changed) return;
  // A single configuration that became a list needs the list's suffix, or runtimes would misread it.
  const target = chained && path.endsWith(".conf") ? `${path}list` : path;
  await replaceFile(target, edited.text, 0o644);
  if (target !== path) await rm(path);
}

/** Whoever reads the folder meanwhile sees the old file or the new one, whole. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  const temporary = join(path, "..", `.${basename(path)}.new`);
  await writeFile(temporary, text, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

/** Resolves on a change in the folder, or after a while. */
async function somethingChanged(folder: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const watching = async (): Promise<void> => {
    await access(folder);
    for await (const _ of watch(folder, { signal: either })) return;
  };
  const pause = delay(clock, CHECK_EVERY_MS, either);
  await Promise.race([watching().catch(() => pause), pause]).catch(() => undefined);
  stop.abort();
  await pause.catch(() => undefined);
}
