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

export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("Expected a port from 1 to 65535.");
}

export function readCount(text: string): number {
  if (/^\d{1,7}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("Expected a number from 1 to 9999999.");
}
