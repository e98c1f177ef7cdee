/** Global flags: before or after a command's name, from the environment, or from the configuration file. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import {
  type ConfigFile,
  GLOBAL_FLAGS,
  type GlobalFlag,
  MAX_CONFIG_CHARACTERS,
  readConfigFile,
  settingOf,
} from "../settings/settings.ts";
import type { CommandContext } from "./context.ts";
import { readDuration } from "./flag-values.ts";

type FlagName =
  | "kubeconfig"
  | "context"
  | "namespace"
  | "istioNamespace"
  | "as"
  | "as-group"
  | "as-uid"
  | "kubeclient-timeout";

/** Those of the names that the command does not have yet. */
export function globalOptions(command: Command, names: readonly FlagName[]): Command {
  for (const flag of GLOBAL_FLAGS)
    if (names.includes(flag.name as FlagName)) command.addOption(optionOf(flag));
  return command;
}

function optionOf({ name, letter, placeholder, about, preset, isList }: GlobalFlag): Option {
  const option = new Option(`${letter === undefined ? "" : `-${letter}, `}--${name} <${placeholder}>`, about);
  if (isList === true)
    option
      .argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value])
      .default([]);
  else if (name === "kubeclient-timeout")
    option.argParser(readDuration).default(readDuration(preset ?? ""), preset);
  else if (preset !== undefined) option.default(preset);
  return option;
}

/**
 * Scripts write `istioctl -n shop waypoint list` as well as `istioctl waypoint list -n shop`: what stands before a command's name is handed
 * to the command, and what nobody wrote is looked up.
 */
export function readGlobalFlags(program: Command, context: CommandContext): void {
  for (const parent of parentsIn(program)) {
    parent.enablePositionalOptions();
    for (const flag of GLOBAL_FLAGS) parent.addOption(optionOf(flag).hideHelp());
  }
  program.hook("preAction", (_program, command) => {
    for (const flag of GLOBAL_FLAGS) {
      const option = command.options.find(({ long }) => long === `--${flag.name}`);
      if (option !== undefined) fillIn(flag, option, command, context);
    }
  });
}

function parentsIn(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [] : [command, ...command.commands.flatMap(parentsIn)];
}

function fillIn(flag: GlobalFlag, option: Option, command: Command, context: CommandContext): void {
  const key = option.attributeName();
  // The nearest to the command's name wins.
  for (let one: Command | null = command; one !== null; one = one.parent) {
    if (one.getOptionValueSource(key) !== "cli") continue;
    command.setOptionValueWithSource(key, one.getOptionValue(key), "cli");
    return;
  }
  const setting = settingOf(flag, context.env, configFile(context));
  if (setting !== undefined)
    command.setOptionValueWithSource(key, parsed(option, setting.value, setting.from), "env");
}

function parsed(option: Option, value: string, from: string): unknown {
  if (option.parseArg === undefined) return value;
  try {
    return option.parseArg(value, undefined as never);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "";
    throw new MeshError(
      "CONFIG_INVALID",
      `read ${option.long} from ${from}: ${JSON.stringify(value)}: ${why}`,
      { cause },
    );
  }
}

/** Undefined: there is none. Throws CONFIG_INVALID for one that ISTIOCONFIG names and that cannot be read. */
export function configFile({ env }: CommandContext): ConfigFile | undefined {
  const named = env["ISTIOCONFIG"];
  const path = named ?? join(env["HOME"] ?? "/root", ".istioctl", "config.yaml");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (named === undefined) return undefined;
    throw new MeshError("CONFIG_INVALID", `read ISTIOCONFIG ${path}: no such file, or it may not be read`, {
      cause,
    });
  }
  if (text.length > MAX_CONFIG_CHARACTERS)
    throw new MeshError(
      "LIMIT_EXCEEDED",
      `read ${path}: expected at most ${MAX_CONFIG_CHARACTERS} characters`,
    );
  return readConfigFile(path, text);
}
