/** Programs of the benchmark inside a namespace of the lab, and what they use. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { LabPlace } from "@meltemi/testkit";

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Standard output and error go here; a benchmark that read them would take part in what it measures. */
  readonly logPath?: string;
}

/** `nsenter` becomes the program, so the process id is the program's own. */
export function startProgram(
  place: LabPlace,
  command: readonly string[],
  options: ProgramOptions = {},
): ChildProcess {
  const log = options.logPath === undefined ? "inherit" : openSync(options.logPath, "a");
  const child = spawn("nsenter", [`--net=${place.path}`, "--", ...command], {
    stdio: ["ignore", log, log],
    ...(options.env && { env: { ...process.env, ...options.env } }),
  });
  if (typeof log === "number") closeSync(log);
  return child;
}

/** A worker of this benchmark, with a channel for messages; on any core, or on one. Resolves with its first message. */
export async function startWorker<First>(
  place: LabPlace,
  program: URL,
  args: readonly string[] = [],
  core?: number,
): Promise<{ readonly child: ChildProcess; readonly first: First }> {
  const command = [process.execPath, program.pathname, ...args];
  if (core !== undefined) command.unshift("taskset", "--cpu-list", String(core));
  const child = spawn("nsenter", [`--net=${place.path}`, "--", ...command], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return { child, first: await nextMessage<First>(child) };
}

/** Rejects when the process ends instead. */
export async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const stop = new AbortController();
  const ended = once(child, "exit", { signal: stop.signal }).then(([code, signal]) => {
    throw new Error(`${child.spawnargs.join(" ")}: ended with ${code ?? signal}`);
  });
  try {
    const [message] = await Promise.race([once(child, "message", { signal: stop.signal }), ended]);
    return message as T;
  } finally {
    ended.catch(() => undefined);
    stop.abort();
  }
}

export async function stopProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const TICKS_PER_SECOND = 100;

/** User and system time of a process so far; field 14 and 15 of proc(5) stat. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface Memory {
  readonly rssBytes: number;
  /** Shared pages in parts: what the process adds to the machine. */
  readonly pssBytes: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN) * 1024;
  return { rssBytes: read("Rss"), pssBytes: read("Pss") };
}
