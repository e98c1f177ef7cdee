/** Programs that run to their end. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);
/** What a listing of a cluster may take. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Standard output. Rejects with the program's own words, and names what was called. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { input, timeoutMs, ...rest } = options;
  try {
    const running = execute(program, args, {
      ...rest,
      maxBuffer: MAX_OUTPUT_BYTES,
      ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    });
    running.child.stdin?.on("error", () => undefined);
    running.child.stdin?.end(input ?? "");
    return (await running).stdout;
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string };
    const said = stderr?.trim().split("\n").slice(-12).join("\n");
    throw new Error(`${program} ${args.join(" ").slice(0, 300)}: ${said || message}`, { cause: error });
  }
}
