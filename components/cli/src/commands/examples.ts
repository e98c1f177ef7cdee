/** The end of every help text. */

import type { Command } from "commander";

/** Lines without the program's name. */
export function withExamples(command: Command, program: Command, lines: readonly string[]): Command {
  const text = lines.map((line) => `  ${line.replaceAll("$0", program.name())}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}
