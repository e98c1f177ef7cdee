/** One more command inside a running container. */

import { tryProgram } from "../../network/run-program.ts";
import { type ExecSpec, renderExecScript } from "./launch-script.ts";

/** Runs to the end or until `timeoutMs`; output is bounded. Exit code 137 when it took too long. */
export async function execInContainer(
  spec: ExecSpec,
  timeoutMs: number,
): Promise<{ readonly code: number; readonly output: string }> {
  const result = await tryProgram("/bin/sh", ["-s"], { input: renderExecScript(spec), timeoutMs });
  const output = result.timedOut
    ? `command did not end within ${timeoutMs} ms`
    : result.stdout + result.stderr;
  return { code: result.code, output };
}
