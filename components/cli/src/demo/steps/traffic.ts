/** A loop of new connections in the client pod, which notes when each was answered. */

import { PodProcess } from "../pod-process.ts";
import { CLIENT, type Stage } from "../stage.ts";

/** Ends with its standard input. The pause keeps it near 25 requests a second. */
const SCRIPT = `while read -r -t 0.02 _; [ $? -gt 128 ]; do
  curl -sS -o /dev/null -m 5 -w '%{http_code}' http://web/ </dev/null 2>/dev/null
  echo " $? $EPOCHREALTIME"
done`;
/** What curl waits for its last request, and more. */
const STOP_DEADLINE_MS = 20_000;

export interface Count {
  readonly sent: number;
  readonly failed: number;
}

export class Traffic implements Disposable {
  readonly #process: PodProcess;

  constructor(stage: Stage) {
    this.#process = new PodProcess(stage, CLIENT, ["bash", "-c", SCRIPT]);
  }

  /** Status and curl's exit code of those that failed, each once. */
  failures(): string {
    const failed = this.#process.lines.map((line) => line.trim().split(" ").slice(0, 2).join(" exit "));
    return [...new Set(failed.filter((each) => each !== "200 exit 0"))].join(", ");
  }

  /** Requests that ended in this time, in milliseconds since the epoch. */
  count(fromMs = 0, toMs: number = Number.MAX_VALUE): Count {
    const answers = this.#process.lines
      .map((line) => line.trim().split(" "))
      .filter((words) => {
        const atMs = Number(words.at(-1)) * 1000;
        return atMs >= fromMs && atMs <= toMs;
      });
    return {
      sent: answers.length,
      failed: answers.filter(([status, code]) => status !== "200" || code !== "0").length,
    };
  }

  /** Stops the loop, and waits for the last answer. */
  async stop(): Promise<Count> {
    await this.#process.finish(STOP_DEADLINE_MS);
    return this.count();
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }
}
