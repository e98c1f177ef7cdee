/** `-o json` and `-o yaml`. */

import { type Command, Option } from "commander";
import { stringify } from "yaml";

export type StructuredFormat = "json" | "yaml";
export type OutputFormat = "short" | StructuredFormat;

export function renderStructured(value: unknown, format: StructuredFormat): string {
  return format === "json" ? JSON.stringify(value, undefined, 2) : stringify(value).trimEnd();
}

/** `-o short|json|yaml`, `short` being the table that people read. */
export function outputOption(command: Command): Command {
  return command.addOption(
    new Option("-o, --output <format>", "short, json or yaml")
      .choices(["short", "json", "yaml"])
      .default("short"),
  );
}
