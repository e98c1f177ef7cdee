/** One more command inside a running container, with its input and output open (`kubectl exec`). */

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { MeshError } from "@meltemi/runtime";
import { SYSTEM_PATH } from "../../network/run-program.ts";
import type { ExecEnd } from "../../streaming/channel-protocol.ts";
import type { ContainerProcess } from "../../streaming/exec-session.ts";
import { type ExecSpec, quote, renderExecScript } from "./launch-script.ts";

/** Starts it. With `tty`, the command gets a terminal of its own, and its two outputs become one. */
export function openExec(spec: ExecSpec, tty: boolean): ContainerProcess {
  const command = tty ? terminalCommand(spec.command) : spec.command;
  // A process group of its own: nsenter and what it forked can be ended together.
  const child = spawn("/bin/sh", ["-c", renderExecScript({ ...spec, command })], {
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  // Before anything may throw: an error that nobody listens to would end the whole cluster's process.
  const ended = endOf(child);
  const { stdin, stdout, stderr } = pipesOf(child);
  return { stdin, stdout, stderr, ended, kill: () => killGroup(child) };
}

/** script(1) opens a terminal pair; it is part of every Debian. */
function terminalCommand(command: readonly string[]): readonly string[] {
  return ["/usr/bin/script", "-qefc", command.map(quote).join(" "), "/dev/null"];
}

/** Without a free descriptor there are none: Node leaves them null, or undefined. */
function pipesOf(child: ChildProcess): { stdin: Writable; stdout: Readable; stderr: Readable } {
  const [stdin, stdout, stderr] = [
    child.stdin ?? undefined,
    child.stdout ?? undefined,
    child.stderr ?? undefined,
  ];
  if (stdin === undefined || stdout === undefined || stderr === undefined)
    throw new MeshError("UNAVAILABLE", "exec in container: its pipes could not be opened");
  return { stdin, stdout, stderr };
}

function endOf(child: ChildProcess): Promise<ExecEnd> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ kind: "failed", message: error.message }));
    // 128 + signal, as a shell says it.
    child.on("close", (code, signal) =>
      resolve({ kind: "exited", code: code ?? 128 + constants.signals[signal ?? "SIGKILL"] }),
    );
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
