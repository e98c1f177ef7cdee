/** Runs a command line as main.ts does, and catches what it says. */

import { Readable } from "node:stream";
import type { Command } from "commander";
import type { CommandContext } from "./commands/context.ts";
import { createTerminal } from "./output/terminal.ts";
import { createProgram } from "./program.ts";

export interface Said {
  out: string;
  err: string;
  code: number;
}

export function setUp(
  name: string,
  given: Partial<CommandContext> = {},
): { readonly program: Command; readonly said: Said } {
  const said: Said = { out: "", err: "", code: 0 };
  const stdout = { write: (text: string) => (said.out += text) };
  const stderr = { write: (text: string) => (said.err += text) };
  const context: CommandContext = {
    terminal: createTerminal({ stdout, stderr, colour: false }),
    stdin: Readable.from([]),
    stdout: process.stdout,
    env: { HOME: "/nonexistent" },
    projectRoot: "/nonexistent",
    version: "1.2.3",
    isRoot: false,
    signal: new AbortController().signal,
    exit: (code) => {
      said.code = code;
    },
    ...given,
  };
  const program = createProgram(name, context);
  for (const command of everyCommand(program))
    command.exitOverride().configureOutput({ writeOut: stdout.write, writeErr: stderr.write });
  return { program, said };
}

export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

export async function run(name: string, ...words: string[]): Promise<Said> {
  return runWith({}, name, ...words);
}

export async function runWith(
  given: Partial<CommandContext>,
  name: string,
  ...words: string[]
): Promise<Said> {
  const { program, said } = setUp(name, given);
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    said.code = 1;
    // Commander has said it; what a command throws, main.ts says.
    if (!(error as { code?: string }).code?.startsWith("commander.")) said.err += String(error);
  }
  return said;
}
