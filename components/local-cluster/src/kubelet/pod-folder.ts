/** A pod's folder in the cluster's state: what must be found again after the kubelet was away. */

import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessRecord } from "./container/container-process.ts";
import type { ContainerState } from "./pod-runtime.ts";

export interface SandboxRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Host part of its addresses; undefined for a pod in the node's own namespace. */
  readonly offset: number | undefined;
  readonly seenAtMs: number;
}

interface ContainerRecord {
  readonly state: ContainerState;
  /** Of the current run. */
  readonly process: ProcessRecord | undefined;
}

export interface PodFolder {
  readonly path: string;
  readonly volumes: string;
  container(name: string): ContainerFolder;
  writeSandbox(record: SandboxRecord): Promise<void>;
  readSandbox(): Promise<SandboxRecord | undefined>;
  removeSandbox(): Promise<void>;
  writeContainer(name: string, record: ContainerRecord): Promise<void>;
  readContainers(): Promise<ReadonlyMap<string, ContainerRecord>>;
}

export interface ContainerFolder {
  readonly path: string;
  /** Mount point of the root file system; used inside the container's mount namespace only. */
  readonly root: string;
  readonly fifo: string;
  /** FIFO of its standard input, for a container that wants one. */
  readonly inputFifo: string;
  log(attempt: number): string;
  /** What one run writes to its root file system. */
  layer(attempt: number): string;
}

export function podFolder(path: string): PodFolder {
  const container = (name: string): ContainerFolder => {
    const folder = join(path, "containers", name);
    return {
      path: folder,
      root: join(folder, "root"),
      fifo: join(folder, "output"),
      inputFifo: join(folder, "input"),
      log: (attempt) => join(folder, `${attempt}.log`),
      layer: (attempt) => join(folder, `layer-${attempt}`),
    };
  };
  const sandboxFile = join(path, "sandbox.json");
  /** By file, the last write that was begun: they end in the order in which they were asked for. */
  const writes = new Map<string, Promise<void>>();
  const write = (file: string, value: unknown): Promise<void> => {
    const text = JSON.stringify(value);
    const before = writes.get(file) ?? Promise.resolve();
    // Who asked for the one before hears of its failure.
    const written = before.catch(() => undefined).then(() => writeText(file, text));
    writes.set(file, written);
    return written;
  };
  return {
    path,
    volumes: join(path, "volumes"),
    container,
    writeSandbox: (record) => write(sandboxFile, record),
    readSandbox: async () => (await readJson(sandboxFile)) as SandboxRecord | undefined,
    removeSandbox: () => rm(sandboxFile, { force: true }),
    writeContainer: (name, record) => write(join(container(name).path, "record.json"), record),
    async readContainers() {
      const found = new Map<string, ContainerRecord>();
      for (const name of await readdir(join(path, "containers")).catch(() => [])) {
        const record = (await readJson(join(container(name).path, "record.json"))) as
          | ContainerRecord
          | undefined;
        if (record !== undefined) found.set(name, record);
      }
      return found;
    },
  };
}

/** Replaced in one step: a crash leaves the old file or the new one. One at a time for each path. */
async function writeText(path: string, text: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Files that this kubelet wrote; one that does not parse is as good as none. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
