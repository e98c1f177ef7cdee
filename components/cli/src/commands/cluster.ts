/** `meltemi cluster …`: hands its words to the local cluster's own program, which knows what they mean. */

import { spawn } from "node:child_process";
import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

export function addClusterCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  program
    .command("cluster")
    .description("a Kubernetes on this machine, for trying: up, status, env, down")
    .helpOption(false)
    .allowUnknownOption()
    .argument("[words...]", "as `cluster help` says them")
    .addHelpText(
      "after",
      `
Examples:
  ${name} cluster up
  eval "$(${name} cluster env)"
  ${name} cluster up --name second --api-port 6444
  ${name} cluster down`,
    )
    .action(async (words: readonly string[]) => {
      const program_ = `${context.projectRoot}/components/local-cluster/src/main.ts`;
      context.exit(await passThrough([process.execPath, program_, ...words], context));
    });
}

function passThrough(argv: readonly string[], context: CommandContext): Promise<number> {
  const [program = "", ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "inherit", env: context.env });
    // Ctrl-C reaches it by itself, through the terminal; a signal to this process alone does not.
    context.signal.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
    child.on("error", (error) => {
      context.terminal.aside(`start the local cluster's program: ${error.message}`);
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
}
