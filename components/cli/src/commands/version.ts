/** `meltemi version` */

import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

export function addVersionCommand(program: Command, context: CommandContext): void {
  program
    .command("version")
    .description("print the version of this client")
    .option("-o, --output <format>", "json or text", "text")
    .action((flags: { output: string }) => {
      const { version, terminal } = context;
      terminal.line(
        flags.output === "json"
          ? JSON.stringify({ clientVersion: { version } })
          : `client version: ${version}`,
      );
    });
}
