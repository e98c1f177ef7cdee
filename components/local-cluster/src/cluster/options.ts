/** Takes the words after `meltemi cluster` apart, each option against the command that it stands with. Pure. */

import { parseArgs } from "node:util";
import { MeshError } from "@meltemi/runtime";
import {
  COMMANDS,
  type Command,
  OPTIONS,
  type Option,
  type OptionName,
  optionsOf,
  written,
} from "./usage.ts";

/** By the long name; a switch that is set is `""`. */
export type Values = { readonly [name in OptionName]?: string };

export interface Words {
  readonly command: Command;
  readonly topic: Command | undefined;
  readonly values: Values;
}

/** Throws INPUT_INVALID with what the command takes. */
export function readOptions(words: readonly string[]): Words {
  const { tokens } = parseArgs({
    args: [...words],
    allowPositionals: true,
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      OPTIONS.map(({ name, short, value }) => [
        name,
        {
          type: value === undefined ? "boolean" : "string",
          ...(short === undefined ? {} : { short }),
        } as const,
      ]),
    ),
  });
  const positionals = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const command = readCommand(positionals);
  const values: { [name in OptionName]?: string } = {};
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option = readOption(command, token.rawName, token.name);
    values[option.name] = readValue(option, token.rawName, token.value);
  }
  if (command === "help") return { command, topic: helpTopic(positionals[1]), values };
  return values.help === undefined
    ? { command, topic: undefined, values }
    : { command: "help", topic: command, values };
}

function readCommand(positionals: readonly string[]): Command {
  const [word = "help", ...rest] = positionals;
  const known: readonly string[] = [...Object.keys(COMMANDS), "run", "help"];
  if (!known.includes(word) || rest.length > (word === "help" ? 1 : 0))
    throw new MeshError(
      "INPUT_INVALID",
      `cluster ${positionals.join(" ")}: expected one of ${Object.keys(COMMANDS).join(", ")}, help`,
    );
  return word as Command;
}

function helpTopic(word: string | undefined): Command | undefined {
  return word === undefined ? undefined : readCommand([word]);
}

function readOption(command: Command, raw: string, name: string): Option {
  const option = optionsOf(command).find((candidate) => candidate.name === name);
  if (option !== undefined) return option;
  const known = optionsOf(command).filter(({ text }) => text !== undefined);
  throw new MeshError(
    "INPUT_INVALID",
    `cluster ${command} ${raw}: no such option; expected ${known.map(written).join(", ")}`,
  );
}

function readValue(option: Option, raw: string, value: string | undefined): string {
  if (option.value === undefined) {
    if (value === undefined) return "";
    throw new MeshError("INPUT_INVALID", `${raw}=${value}: expected no value`);
  }
  if (value === undefined || value === "")
    throw new MeshError("INPUT_INVALID", `${raw}: expected a value, as in ${written(option)}`);
  return value;
}
