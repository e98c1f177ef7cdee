/**
 * A container's processes: started by the launch script, or found again after the kubelet was away. The outer stage of the script
 * writes the exit code into the container's folder, so a container that ended meanwhile is not forgotten.
 */

import { spawn } from "node:child_process";
import { closeSync, constants, openSync, watch } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, MeshError } from "@meltemi/runtime";
import { SYSTEM_PATH } from "../../network/run-program.ts";
import { killCgroup } from "./cgroup.ts";
import {
  identifyProcess,
  isRunning,
  type ProcessIdentity,
  parseStat,
  signalProcess,
} from "./process-identity.ts";

export interface ContainerExit {
  readonly exitCode: number;
  readonly finishedAtMs: number;
}

/** What must be remembered to find the processes again. */
export interface ProcessRecord {
  /** The outer stage of the launch script. */
  readonly supervisor: ProcessIdentity;
  /** Process 1 of the container. */
  readonly program: ProcessIdentity;
  readonly startedAtMs: number;
}

export interface ContainerProcess {
  readonly record: ProcessRecord;
  readonly exited: Promise<ContainerExit>;
  /** To process 1. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL for all of it. */
  kill(): Promise<void>;
}

export interface LaunchOptions {
  /** The container's folder: script, exit code. */
  readonly folder: string;
  readonly cgroup: string;
  readonly script: string;
  /** FIFO that takes standard output and error. */
  readonly outputFifo: string;
  /** Descriptor of its standard input; taken over. Undefined: there is nothing to read. */
  readonly inputFd?: number | undefined;
}

/** Mounting takes milliseconds; a launch that takes this long hangs on a dead file system. */
const LAUNCH_TIMEOUT_MS = 20_000;
/** What a failed launch may say. */
const MESSAGE_LIMIT = 4096;
/** A killed container that left no exit code: 128 + SIGKILL, as a shell says it. */
const KILLED = 137;

/** How the message of a program that is not there, or may not be run, begins. */
export const PROGRAM_REFUSED = "exec: ";

/**
 * Resolves when the program has taken over. Rejects with NOT_FOUND and a message that begins with PROGRAM_REFUSED when it cannot be
 * run, with KERNEL and the failed step's own words when something before it went wrong.
 */
export async function launchContainer(options: LaunchOptions, clock: Clock): Promise<ContainerProcess> {
  const scriptPath = join(options.folder, "launch.sh");
  await rm(join(options.folder, "exit"), { force: true });
  await writeFile(scriptPath, options.script, { mode: 0o600 });
  // Open for reading too: the container holds a reader of its own pipe, so it survives a kubelet that goes away.
  const output = openSync(options.outputFifo, constants.O_RDWR);
  const child = spawn("/bin/sh", [scriptPath, "outer"], {
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    detached: true,
    stdio: [options.inputFd ?? "ignore", output, output, "pipe"],
  });
  closeSync(output);
  if (options.inputFd !== undefined) closeSync(options.inputFd);
  const exit = Promise.withResolvers<ContainerExit>();
  child.on("error", () => exit.resolve({ exitCode: KILLED, finishedAtMs: clock.nowMs() }));
  child.on("exit", (code) => exit.resolve({ exitCode: code ?? KILLED, finishedAtMs: clock.nowMs() }));
  child.unref();
  const message = await firstMessage(child.stdio[3] as NodeJS.ReadableStream, options, clock);
  const program = message.startsWith("started ") ? parseStat(message.slice("started ".length)) : undefined;
  if (program === undefined || child.pid === undefined) {
    await killCgroup(options.cgroup);
    await exit.promise;
    // The script's own word for a program that cannot be run.
    if (message.startsWith(PROGRAM_REFUSED))
      throw new MeshError("NOT_FOUND", message.trim().slice(0, MESSAGE_LIMIT));
    throw new MeshError(
      "KERNEL",
      `start container: ${message.trim().slice(0, MESSAGE_LIMIT) || "no answer"}`,
    );
  }
  const supervisor = identifyProcess(child.pid) ?? { pid: child.pid, startTicks: 0 };
  const record = { supervisor, program, startedAtMs: clock.nowMs() };
  return containerProcess(record, options.cgroup, exit.promise);
}

/** Everything that descriptor 3 says until it is closed: by the program's start, or by a failure. */
function firstMessage(stream: NodeJS.ReadableStream, options: LaunchOptions, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const timer = clock.after(LAUNCH_TIMEOUT_MS, () => {
      text += "the file systems could not be mounted in time";
      void killCgroup(options.cgroup);
      resolve(text);
    });
    const finish = (): void => {
      timer.cancel();
      resolve(text);
    };
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      if (text.length < MESSAGE_LIMIT) text += chunk;
      if (text.startsWith("started ") && text.endsWith("\n")) finish();
    });
    stream.on("end", finish);
    stream.on("error", finish);
  });
}

function containerProcess(
  record: ProcessRecord,
  cgroup: string,
  exited: Promise<ContainerExit>,
): ContainerProcess {
  return {
    record,
    exited,
    signal: (signal) => void signalProcess(record.program, signal),
    kill: () => killCgroup(cgroup),
  };
}

export type Found =
  | { readonly kind: "running"; readonly process: ContainerProcess }
  | { readonly kind: "exited"; readonly exit: ContainerExit };

/** Finds a container again that an earlier kubelet started. */
export async function findContainer(
  folder: string,
  cgroup: string,
  record: ProcessRecord,
  clock: Clock,
): Promise<Found> {
  const ended = await readExit(folder);
  if (ended !== undefined) return { kind: "exited", exit: ended };
  if (!isRunning(record.supervisor)) {
    // The supervisor was killed with the rest, or alone: nothing of the container may stay behind unwatched.
    await killCgroup(cgroup);
    return { kind: "exited", exit: { exitCode: KILLED, finishedAtMs: clock.nowMs() } };
  }
  return {
    kind: "running",
    process: containerProcess(record, cgroup, whenExitAppears(folder, record, clock)),
  };
}

async function readExit(folder: string): Promise<ContainerExit | undefined> {
  try {
    const path = join(folder, "exit");
    const exitCode = Number.parseInt(await readFile(path, "utf8"), 10);
    const { mtimeMs } = await stat(path);
    return Number.isInteger(exitCode) ? { exitCode, finishedAtMs: mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}

/** A supervisor that was killed writes nothing: look whether it lives from time to time. It is not our child any more. */
const SUPERVISOR_CHECK_MS = 2000;

function whenExitAppears(folder: string, record: ProcessRecord, clock: Clock): Promise<ContainerExit> {
  const { promise, resolve } = Promise.withResolvers<ContainerExit>();
  const check = async (): Promise<void> => {
    const alive = isRunning(record.supervisor);
    const exit = await readExit(folder);
    if (exit !== undefined) resolve(exit);
    else if (!alive) resolve({ exitCode: KILLED, finishedAtMs: clock.nowMs() });
  };
  const watcher = watch(folder, () => void check());
  watcher.on("error", () => {});
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    void check();
    clock.after(SUPERVISOR_CHECK_MS, tick);
  };
  tick();
  return promise.finally(() => {
    stopped = true;
    watcher.close();
  });
}
