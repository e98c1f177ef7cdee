/** The command line: `meltemi`, and `istioctl` as its other name. */

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describeError } from "@meltemi/runtime";
import { Command } from "commander";
import { addClusterCommand } from "./commands/cluster.ts";
import type { CommandContext } from "./commands/context.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addInstallCommands } from "./commands/install.ts";
import { addValidateCommand } from "./commands/validate.ts";
import { addVersionCommand } from "./commands/version.ts";
import { createTerminal } from "./output/terminal.ts";

const projectRoot = join(import.meta.dirname, "..", "..", "..");
const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string };
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
  exit: (code) => {
    process.exitCode = code;
  },
};

const program = new Command(basename(process.env["MELTEMI_COMMAND_NAME"] ?? "meltemi"))
  .description("Meltemi: an ambient service mesh, wire-compatible with Istio's")
  .version(manifest.version)
  .showHelpAfterError("(add --help for more)");
addInstallCommands(program, context);
addClusterCommand(program, context);
addDemoCommand(program, context);
addValidateCommand(program, context);
addVersionCommand(program, context);

// The clock's timers do not keep a process alive, and a command that only waits has nothing else that would.
const alive = setInterval(() => {}, 2 ** 30);
try {
  await program.parseAsync();
} catch (error) {
  context.terminal.aside(`Error: ${describeError(error)}`);
  process.exitCode = 1;
} finally {
  clearInterval(alive);
}
