/** The page of commands, from the program that runs them. */

import type { CommandContext } from "../../components/cli/src/commands/context.ts";
import { createTerminal } from "../../components/cli/src/output/terminal.ts";
import { createProgram } from "../../components/cli/src/program.ts";
import { GLOBAL_FLAGS } from "../../components/cli/src/settings/settings.ts";
import { code, page, table } from "./markdown.ts";

type Command = ReturnType<typeof createProgram>;

/** Commander wraps by the terminal's width; a page has none. */
const WIDTH = 500;

export function commandLinePage(): string {
  const program = createSilentProgram();
  const commands = program.commands.flatMap(everyCommand).filter((command) => !isLeftOut(command));
  return page(
    "Commands and flags",
    "`components/cli`",
    "`istioctl` and `meltemi` are one program. What the commands are for, exit codes, and what is left out of Istio's: [the command line](../cli.md).",
    "## Global flags",
    "Before or after the command's name, for the commands that they mean something to.",
    flagTable(
      GLOBAL_FLAGS.map(({ name, letter, placeholder, about, preset }) => ({
        flags: `${letter === undefined ? "" : `-${letter}, `}--${name} <${placeholder}>`,
        about,
        preset: preset ?? "",
      })),
    ),
    ...commands.map(describeCommand),
  );
}

/** All commands, to be looked at and not run. */
export function createSilentProgram(): Command {
  return createProgram("istioctl", silentContext());
}

function silentContext(): CommandContext {
  const nowhere = { write: () => true } as unknown as NodeJS.WritableStream;
  return {
    terminal: createTerminal({ stdout: nowhere, stderr: nowhere, colour: false }),
    stdin: process.stdin,
    stdout: nowhere,
    env: {},
    projectRoot: "/",
    version: "",
    isRoot: false,
    signal: new AbortController().signal,
    exit: () => undefined,
  };
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Commands that only say why they are not there are listed in docs/cli.md with their reasons. */
function isLeftOut(command: Command): boolean {
  return (command as Command & { readonly _hidden?: boolean })._hidden === true;
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function describeCommand(command: Command): string {
  const help = command.createHelp();
  const globals = new Set(GLOBAL_FLAGS.map(({ name }) => `--${name}`));
  const options = help
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help" && long !== "--version");
  const own = options.filter(({ long }) => !globals.has(long ?? ""));
  const shared = options.filter(({ long }) => globals.has(long ?? ""));
  const aliases = command.aliases();
  const children = help.visibleCommands(command).filter((child) => child.name() !== "help");
  return [
    `## ${nameOf(command)}`,
    help.commandDescription(command),
    `    ${help.commandUsage(command)}`,
    aliases.length > 0 ? `Also: ${aliases.map(code).join(", ")}.` : "",
    children.length > 0 ? `Commands: ${children.map((child) => code(child.name())).join(", ")}.` : "",
    argumentTable(help, command),
    flagTable(
      own.map((option) => ({
        flags: option.flags,
        about: option.description,
        preset: defaultOf(option.defaultValue, option.defaultValueDescription),
      })),
    ),
    shared.length > 0 ? `Global flags: ${shared.map(({ long }) => code(long ?? "")).join(", ")}.` : "",
    wordsAfter(command),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function argumentTable(help: ReturnType<Command["createHelp"]>, command: Command): string {
  const rows = help
    .visibleArguments(command)
    .map((argument) => [code(argument.name()), help.argumentDescription(argument)]);
  return rows.length === 0 ? "" : table(["argument", "meaning"], rows);
}

function flagTable(
  flags: readonly { readonly flags: string; readonly about: string; readonly preset: string }[],
): string {
  const rows = flags.map(({ flags: text, about, preset }) => [code(text), code(preset), about]);
  return rows.length === 0 ? "" : table(["flag", "default", "meaning"], rows);
}

function defaultOf(value: unknown, description: string | undefined): string {
  if (description !== undefined) return description;
  if (value === undefined || value === false || value === "") return "";
  if (Array.isArray(value)) return value.join(",");
  return String(value);
}

/** Examples and what else a command adds behind its help. */
function wordsAfter(command: Command): string {
  let all = "";
  command.configureOutput({
    writeOut: (text) => {
      all += text;
    },
    getOutHelpWidth: () => WIDTH,
  });
  command.outputHelp();
  const plain = command.helpInformation();
  const after = all.startsWith(plain) ? all.slice(plain.length).trim() : "";
  return after === "" ? "" : `\`\`\`\n${after}\n\`\`\``;
}
