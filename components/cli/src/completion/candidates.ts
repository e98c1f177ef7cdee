/** What may follow on a command line that is half written. Pure, over the program's own commands. */

import { type Command, Help } from "commander";

/** `words` without the program's name; the last one is being written and may be empty. */
export function candidates(program: Command, words: readonly string[]): readonly string[] {
  let command = program;
  for (const word of words.slice(0, -1)) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    // A flag, its value, or an argument: the command stays.
    if (next !== undefined) command = next;
  }
  const last = words.at(-1) ?? "";
  return (last.startsWith("-") ? flagsOf(command) : (choicesBefore(command, words) ?? namesOf(command)))
    .filter((one) => one.startsWith(last))
    .toSorted();
}

function namesOf(command: Command): readonly string[] {
  const shown = new Help().visibleCommands(command).map((one) => one.name());
  return shown.filter((name) => name !== "help" && !name.startsWith("_"));
}

function flagsOf(command: Command): readonly string[] {
  return command.options.filter(({ hidden }) => !hidden).flatMap(({ long, short }) => long ?? short ?? []);
}

/** After a flag that takes one of a few words. */
function choicesBefore(command: Command, words: readonly string[]): readonly string[] | undefined {
  const flag = words.at(-2);
  const option = command.options.find(
    ({ long, short }) => flag !== undefined && (long === flag || short === flag),
  );
  return option?.argChoices;
}
