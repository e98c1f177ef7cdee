/** The command line: `meltemi`, and `istioctl` as its other name. */

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describeError } from "@meltemi/runtime";
import type { CommandContext } from "./commands/context.ts";
import { createTerminal } from "./output/terminal.ts";
import { createProgram } from "./program.ts";

/** What a shell says of a program that Ctrl-C ended: 128 and the signal's number. */
const INTERRUPTED_EXIT_CODE = 130;

const projectRoot = join(import.meta.dirname, "..", "..", "..");
const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string };
const interrupted = new AbortController();
const context: CommandContext = {
  terminal: createTerminal({
    stdout: process.stdout,
    stderr: process.stderr,
    colour: process.env["NO_COLOR"] === undefined,
  }),
  stdin: process.stdin,
  stdout: process.stdout,
  env: process.env,
  projectRoot,
  version: manifest.version,
  isRoot: process.getuid?.() === 0,
  signal: interrupted.signal,
  exit: (code) => {
    process.exitCode = code;
  },
};

// Once: the second Ctrl-C finds no handler and ends the process at once.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
// The reader of a pipe may go early, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});
// The clock's timers do not keep a process alive, and a command that only waits has nothing else that would.
const alive = setInterval(() => {}, 2 ** 30);
try {
  await createProgram(basename(process.env["MELTEMI_COMMAND_NAME"] ?? "meltemi"), context).parseAsync();
} catch (error) {
  if (interrupted.signal.aborted)
    context.terminal.aside("Interrupted: what was done stays done. The same command goes on from there.");
  else context.terminal.aside(`Error: ${describeError(error)}`);
  process.exitCode = interrupted.signal.aborted ? INTERRUPTED_EXIT_CODE : 1;
} finally {
  clearInterval(alive);
}
