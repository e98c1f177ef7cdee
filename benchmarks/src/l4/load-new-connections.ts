/** As many new connections a second as can be. */

import { startTcpConnect } from "@meltemi/linux";
import { type LoadCommand, type LoadReply, MESSAGE_BYTES, type Target } from "./messages.ts";
import { matchesPattern, patternAt } from "./pattern.ts";
import { PollSet, readRaw, type Watched, writeRaw } from "./raw-sockets.ts";

const MESSAGE = patternAt(0, MESSAGE_BYTES.small);
/** One byte more than is expected would be seen. */
const ANSWER = Buffer.allocUnsafeSlow(MESSAGE_BYTES.small + 1);
/** No path is silent on every connection for so long and well. */
const SILENCE_MS = 5000;

/**
 * Connects, sends one small message, reads it back until the end, and closes: again and again. Connections per second, from connect
 * to close. Runs without a turn of the event loop until it is done; whatever goes wrong is thrown.
 */
export function measureNewConnections(
  command: Extract<LoadCommand, { kind: "connections" }>,
): Omit<LoadReply, "cpuSeconds"> {
  const { target, concurrency, durationMs } = command;
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  using open = new PollSet(concurrency);
  const count = { done: 0, right: 0 };
  const next = (right: boolean): void => {
    count.done++;
    if (right) count.right++;
    if (performance.now() < endMs) open.add(new Exchange(target, open, next), "writable");
  };
  while (open.size < concurrency) open.add(new Exchange(target, open, next), "writable");
  while (open.size > 0)
    if (!open.turn(SILENCE_MS)) throw new Error(`${open.size} connections silent for ${SILENCE_MS} ms`);
  return {
    correct: count.right === count.done,
    opened: count.done,
    rate: (count.done * 1000) / (performance.now() - startMs),
  };
}

class Exchange implements Watched {
  readonly fd: number;
  readonly #open: PollSet;
  readonly #onEnd: (right: boolean) => void;
  #sent = false;
  #received = 0;
  #right = true;

  constructor({ host, port }: Target, open: PollSet, onEnd: (right: boolean) => void) {
    this.fd = startTcpConnect({ destination: { ip: host, port } });
    this.#open = open;
    this.#onEnd = onEnd;
  }

  onReady(): void {
    if (!this.#sent) {
      this.#sent = true;
      writeRaw(this.fd, MESSAGE);
      this.#open.awaitReadable(this);
      return;
    }
    const length = readRaw(this.fd, ANSWER, 0);
    if (length > 0) {
      this.#right &&= matchesPattern(ANSWER.subarray(0, length), this.#received);
      this.#received += length;
      return;
    }
    this.#open.close(this);
    this.#onEnd(this.#right && this.#received === MESSAGE_BYTES.small);
  }
}
