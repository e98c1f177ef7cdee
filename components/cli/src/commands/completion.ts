/** `istioctl completion` (reference: l7-and-cli §3.6). */

import { Argument, type Command } from "commander";
import { candidates } from "../completion/candidates.ts";
import { completionScript, SHELLS, type Shell } from "../completion/scripts.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

export function addCompletionCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  withExamples(
    program
      .command("completion")
      .description("print what a shell needs to complete commands and flags")
      .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
      .action((shell: Shell) => terminal.line(completionScript(shell, program.name()))),
    program,
    ["source <($0 completion bash)", "$0 completion fish > ~/.config/fish/completions/$0.fish"],
  );
  withExamples(
    program
      .command("__complete", { hidden: true })
      .description("what may follow; for the scripts of completion")
      .argument("[words...]", "the words so far, the last of which is being written")
      .action((words: readonly string[]) => {
        for (const one of candidates(program, words)) terminal.line(one);
      }),
    program,
    ["$0 __complete -- waypoint ''"],
  );
}
