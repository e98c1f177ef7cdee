/** Keeps the plugin in the node's CNI configuration: repairs it when somebody takes it out, follows when another list comes first. */

import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, type Logger, type Timer } from "@meltemi/runtime";
import type { InstallConfig } from "../config.ts";
import { writeAtomically } from "./atomic-file.ts";
import { type ConfFile, isConfName, type PluginEntry } from "./conf-file.ts";
import { type ConfChanges, decideChain, decideUnchain } from "./decide-chain.ts";
import { installPlugin, isPluginInstalled, type PluginPayload, removePlugin } from "./plugin-program.ts";

export interface InstallerDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly payload: PluginPayload;
  readonly entry: PluginEntry;
  /** Told whenever it changes: undefined when the plugin is in place, otherwise what is missing. */
  readonly onState: (missing: string | undefined) => void;
  readonly onInstall: (succeeded: boolean) => void;
}

export interface Installer {
  /** Looks again; resolves when the plugin is in place, or known not to be. */
  check(): Promise<void>;
  /** Stops watching; the plugin stays. */
  stop(): Promise<void>;
  /** Stops watching and takes the plugin out: first its entry, then its program. */
  uninstall(): Promise<void>;
}

/** Other installers write several files in a row. */
const SETTLE_MS = 50;
/** Notifications of the kernel may be lost (other file systems, a replaced folder). */
const RECHECK_MS = 15_000;
/** A node has one or two lists; a folder with more is something else. */
const MAX_FILES = 64;
const MAX_FILE_BYTES = 1024 * 1024;

export function createInstaller(config: InstallConfig, deps: InstallerDependencies): Installer {
  return new ConfInstaller(config, deps);
}

class ConfInstaller implements Installer {
  readonly #config: InstallConfig;
  readonly #deps: InstallerDependencies;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** The program on the node may be an older agent's until this one has written its own. */
  #programIsOurs = false;

  constructor(config: InstallConfig, deps: InstallerDependencies) {
    this.#config = config;
    this.#deps = deps;
  }

  /** One at a time: a check that is asked for while another runs comes after it. */
  check(): Promise<void> {
    this.#running = this.#running.then(() => this.#checkNow());
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watcher?.close();
    this.#timer?.cancel();
    await this.#running;
  }

  async uninstall(): Promise<void> {
    await this.stop();
    const { binFolder, confFolder, chained } = this.#config;
    if (chained) await carryOut(confFolder, decideUnchain(await readConfFiles(confFolder)));
    await removePlugin(binFolder);
    this.#deps.log.info("took the plugin out of the node's network configuration");
  }

  async #checkNow(): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#watch();
      this.#deps.onState(await this.#ensure());
    } catch (error) {
      this.#deps.onInstall(false);
      this.#deps.log.error("could not install the plugin", { error: describeError(error) });
      this.#deps.onState(describeError(error));
    }
    this.#checkAfter(RECHECK_MS);
  }

  async #ensure(): Promise<string | undefined> {
    const { binFolder, confFolder, chained } = this.#config;
    const { payload, entry, log, onInstall } = this.#deps;
    // The program first: a configuration that names a program which is not there stops every pod of the node.
    if (!this.#programIsOurs || !(await isPluginInstalled(binFolder)))
      await installPlugin(binFolder, payload);
    this.#programIsOurs = true;
    if (!chained) return undefined;
    const decision = decideChain(await readConfFiles(confFolder), entry, this.#config);
    switch (decision.kind) {
      case "chained":
        return undefined;
      case "change":
        await carryOut(confFolder, decision.changes);
        onInstall(true);
        log.info("chained the plugin into the node's network configuration", { file: decision.name });
        return undefined;
      case "wait":
        return `network configuration in ${confFolder}: ${decision.why}`;
    }
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    const watcher = watch(this.#config.confFolder, () => this.#checkAfter(SETTLE_MS));
    watcher.on("error", (error) => {
      this.#deps.log.warn("stopped watching the network configuration", { error: describeError(error) });
      watcher.close();
      this.#watcher = undefined;
    });
    this.#watcher = watcher;
  }

  #checkAfter(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.after(delayMs, () => void this.check());
  }
}

async function carryOut(folder: string, { write, remove }: ConfChanges): Promise<void> {
  for (const { name, text } of write) await writeAtomically(join(folder, name), text, 0o644);
  for (const name of remove) await rm(join(folder, name), { force: true });
}

async function readConfFiles(folder: string): Promise<readonly ConfFile[]> {
  const names = (await readdir(folder)).filter(isConfName).sort().slice(0, MAX_FILES);
  const files: ConfFile[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const { size } = await stat(path);
    files.push({ name, text: size > MAX_FILE_BYTES ? "" : await readFile(path, "utf8") });
  }
  return files;
}
