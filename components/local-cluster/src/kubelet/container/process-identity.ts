/** A process by number and start time: the number alone may have been given to another since. */

import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat). */
  readonly startTicks: number;
}

/** Reads one line of /proc/<pid>/stat (proc(5)); the program's name in it may hold spaces and brackets. */
export function parseStat(line: string): ProcessIdentity | undefined {
  const pid = Number.parseInt(line, 10);
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const startTicks = Number(fields[19]);
  if (!Number.isInteger(pid) || pid < 1 || !Number.isInteger(startTicks) || fields.length < 20)
    return undefined;
  return { pid, startTicks };
}

/** The process that has this number now. One that has ended and waits for its parent to notice does not count. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    return isEnded(line) ? undefined : parseStat(line);
  } catch {
    return undefined;
  }
}

/** State Z (zombie) or X (dead). */
function isEnded(line: string): boolean {
  return /^[ZX]/.test(line.slice(line.lastIndexOf(")") + 2));
}

export function isRunning(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTicks === process.startTicks;
}

/** False when the process is gone already. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(target)) return false;
  try {
    return process.kill(target.pid, signal);
  } catch {
    return false;
  }
}
