/** Values of flags that several commands have. */

import { parseDurationMs } from "@meltemi/runtime";
import { InvalidArgumentError } from "commander";

/** Milliseconds. */
export function readDuration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected a duration such as 90s or 5m.");
  return ms;
}

/** `--flag=false`, as scripts for istioctl write it. */
export function readBoolean(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("Expected true or false.");
}
