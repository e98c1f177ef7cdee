/** One open TCP connection from a pod to Redis, asked again and again whether it still works. */

import { PodProcess } from "./pod-process.ts";
import type { Stage, Target } from "./stage.ts";

/**
 * Opens one socket and never another: an answer after an event is an answer on a connection that outlived it.
 * `ping` asks and reads one answer, `wait` only reads. 128 and more is how bash says that the time ran out.
 */
const SCRIPT = `trap '' PIPE
exec 3<>/dev/tcp/redis/6379 || exit 7
while read -r word; do
  if [ "$word" = ping ] && ! printf 'PING\\r\\n' 2>/dev/null >&3; then echo closed; continue; fi
  IFS= read -r -t 10 -u 3 answer 2>/dev/null; code=$?
  if [ $code = 0 ]; then echo "\${answer%$'\\r'}"
  elif [ $code -gt 128 ]; then echo silent
  else echo closed; fi
done`;
/** Longer than the script waits. */
const ANSWER_DEADLINE_MS = 15_000;
const PONG = "+PONG";

export class HeldConnection implements Disposable {
  readonly #process: PodProcess;

  constructor(stage: Stage, from: Target) {
    this.#process = new PodProcess(stage, from, ["bash", "-c", SCRIPT]);
  }

  /** `answers`, or what happened instead: `closed`, `silent`, other words of the server. */
  async ping(): Promise<string> {
    this.#process.send("ping");
    return this.#answer();
  }

  /** As {@link ping}, without asking: `closed` when the connection is ended from elsewhere. */
  async untilClosed(): Promise<string> {
    this.#process.send("wait");
    return this.#answer();
  }

  async #answer(): Promise<string> {
    const answer = await this.#process.next(ANSWER_DEADLINE_MS);
    return answer === PONG ? "answers" : answer;
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }
}
