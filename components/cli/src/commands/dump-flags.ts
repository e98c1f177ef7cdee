/** Flags that every command has which reads config dumps. */

import type { Command } from "commander";
import { Option } from "commander";
import { type OutputFormat, outputOption } from "../output/structured.ts";
import { type MeshFlags, meshOptions } from "./connect.ts";
import { readPort } from "./flag-values.ts";

export interface DumpFlags extends MeshFlags {
  readonly output: OutputFormat;
  readonly file?: string;
  readonly proxyAdminPort: number;
}

const PROXY_ADMIN_PORT = 15_000;

export function dumpOptions(command: Command): Command {
  return outputOption(adminPortOption(meshOptions(command))).option(
    "-f, --file <file>",
    "a config dump that was saved, or - for standard input; no cluster is asked",
  );
}

export function adminPortOption(command: Command): Command {
  return command.addOption(
    new Option("--proxy-admin-port <port>", "port of the proxy's admin server")
      .argParser(readPort)
      .default(PROXY_ADMIN_PORT),
  );
}
