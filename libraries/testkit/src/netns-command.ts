/** Programs inside a named network namespace. Needs root. */

import { type ChildProcess, execFile, spawn } from "node:child_process";

/** Output beyond this is a test gone wrong. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface RunOptions {
  /** Given to the program on standard input. */
  readonly input?: string;
  /** Killed after this; default 10 s. */
  readonly timeoutMs?: number;
}

/** Runs a program in the namespace (of `ip netns`) and waits for its end, whatever its exit code. */
export function runIn(
  netns: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: options.timeoutMs ?? 10_000, maxBuffer: MAX_OUTPUT_BYTES };
    const child = execFile("nsenter", inside(netns, command), limits, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === "number") resolve({ stdout, stderr, exitCode: code });
      else
        reject(
          new Error(`run ${command.join(" ")} in ${netns}: ${error?.signal ?? error?.message}`, {
            cause: error,
          }),
        );
    });
    child.stdin?.on("error", () => {}); // A program that does not read its input is none of our business.
    child.stdin?.end(options.input ?? "");
  });
}

/** Starts a program in the namespace and leaves it running; its output is piped. */
export function spawnIn(netns: string, command: readonly string[]): ChildProcess {
  return spawn("nsenter", inside(netns, command), { stdio: ["pipe", "pipe", "pipe"] });
}

/** nsenter and not `ip netns exec`, which hides the machine's cgroup and BPF file systems under a fresh /sys. */
function inside(netns: string, command: readonly string[]): string[] {
  return [`--net=/var/run/netns/${netns}`, "--", ...command];
}
