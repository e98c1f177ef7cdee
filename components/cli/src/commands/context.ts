/** What every command is given by main.ts. */

import type { Environment } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";

export interface CommandContext {
  readonly terminal: Terminal;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly env: Environment;
  /** Folder of the project: the local cluster and the demo run programs from it. */
  readonly projectRoot: string;
  readonly version: string;
  readonly isRoot: boolean;
  /** Aborted by Ctrl-C: the command ends in order. */
  readonly signal: AbortSignal;
  /** Sets the exit code of the process. */
  readonly exit: (code: number) => void;
}
