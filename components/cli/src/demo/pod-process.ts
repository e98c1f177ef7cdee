/** A program inside a pod that the demo talks with line by line, while other things happen. */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Stage, Target } from "./stage.ts";

const LOOK_EVERY_MS = 10;

export class PodProcess implements Disposable {
  /** What it has printed so far, by lines. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #ended = false;
  #taken = 0;

  constructor(stage: Stage, target: Target, argv: readonly string[]) {
    const pod = ["exec", "-i", "-n", target.namespace, `deploy/${target.deployment}`, "--"];
    this.#clock = stage.clock;
    this.#signal = stage.signal;
    this.#child = spawn("kubectl", [...pod, ...argv], {
      env: stage.options.env,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const end = (): void => {
      this.#ended = true;
    };
    this.#child.on("error", end);
    this.#child.on("close", end);
    // Whoever waits for its answer learns that it ended.
    this.#child.stdin?.on("error", end);
    if (this.#child.stdout !== null)
      createInterface(this.#child.stdout).on("line", (line) => void this.lines.push(line));
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line that nobody has asked for yet; throws when there is none in time. */
  async next(deadlineMs: number): Promise<string> {
    await this.#until(deadlineMs, () => this.lines.length > this.#taken);
    return this.lines[this.#taken++] ?? "";
  }

  /** Closes its standard input and waits for its end; throws when it had ended by itself. */
  async finish(deadlineMs: number): Promise<void> {
    if (this.#ended) throw new MeshError("UNAVAILABLE", "a program in a pod ended before it was told to");
    this.#child.stdin?.end();
    await this.#until(deadlineMs, () => this.#ended, true);
  }

  async #until(deadlineMs: number, condition: () => boolean, ending = false): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    while (!condition()) {
      const late = this.#clock.monotonicMs() - startMs > deadlineMs;
      if (late || (this.#ended && !ending))
        throw new MeshError("TIMEOUT", `wait for a program in a pod: ${late ? "no answer" : "it ended"}`);
      await delay(this.#clock, LOOK_EVERY_MS, this.#signal);
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGTERM");
  }
}
