/** Runs the machine's own programs (ip, nft, mount): short, bounded, never through a shell. */

import { spawn } from "node:child_process";
import { MeshError } from "@meltemi/runtime";

export interface ProgramOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

export interface ProgramResult {
  /** 128 + signal when a signal ended it, as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** These programs take milliseconds; a machine that needs this long is stuck. */
const TIMEOUT_MS = 15_000;
/** Enough for `ip -j link` of a thousand interfaces; more is cut off. */
const OUTPUT_LIMIT_BYTES = 1024 * 1024;
/** Where Debian and its kin keep system programs, whatever the caller's PATH is. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs a program to its end. Rejects (UNAVAILABLE) only when it cannot be started; a failure is in the result. */
export function tryProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? "/",
      env: { PATH: SYSTEM_PATH, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? TIMEOUT_MS);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new MeshError("UNAVAILABLE", `run ${program}: it could not be started`, { cause }));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? (signal === null ? 1 : 137), stdout: stdout(), stderr: stderr(), timedOut });
    });
    // A program that ends before it has read its input says so by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
  });
}

/** Runs a program and gives its standard output. Throws KERNEL with its standard error when it fails. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const result = await tryProgram(program, args, options);
  if (result.code === 0) return result.stdout;
  const why = result.timedOut ? "no end in time" : result.stderr.trim() || `exit code ${result.code}`;
  throw new MeshError("KERNEL", `${[program, ...args].join(" ")}: ${why}`, {
    details: { code: result.code },
  });
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (bytes >= OUTPUT_LIMIT_BYTES) return;
    const part = chunk.subarray(0, OUTPUT_LIMIT_BYTES - bytes);
    bytes += part.length;
    chunks.push(part);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}
