/** Requests at a fixed rate, whether the earlier ones are answered or not. */

import { once } from "node:events";
import type { Socket } from "node:net";
import { openConnection } from "./load-socket.ts";
import { type LoadCommand, type LoadReply, MESSAGE_BYTES } from "./messages.ts";
import { matchesPattern, patternAt } from "./pattern.ts";

/** Answers of a few slow requests may come later than the last request. */
const LAST_ANSWERS_MS = 5000;

/**
 * Open loop: a stalled path does not slow the requests down, so its stall is in the figures of all that waited. The time of a
 * request begins when its turn came; lateness of our own timer is the generator's and not counted.
 */
export async function measureRequests(
  command: Extract<LoadCommand, { kind: "requests" }>,
): Promise<Omit<LoadReply, "cpuSeconds">> {
  const { target, connections, perSecond, durationMs } = command;
  const sockets = await Promise.all(Array.from({ length: connections }, () => openConnection(target)));
  const lanes = sockets.map((socket) => new Lane(socket));
  const total = Math.floor((perSecond * durationMs) / 1000);
  await paced(total, perSecond, (index) => lanes[index % lanes.length]?.send());
  const deadline = AbortSignal.timeout(LAST_ANSWERS_MS);
  await Promise.all(lanes.map((lane) => lane.answered(deadline)));
  for (const socket of sockets) socket.destroy();
  const times = lanes.flatMap((lane) => lane.timesUs).sort((a, b) => a - b);
  return {
    correct: lanes.every((lane) => lane.right) && times.length === total,
    opened: connections,
    p50Us: percentile(times, 0.5),
    p99Us: percentile(times, 0.99),
  };
}

function paced(total: number, perSecond: number, send: (index: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - startMs) * perSecond) / 1000));
      while (sent < due) send(sent++);
      if (sent < total) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

/** One connection: what is under way on it, in order. */
class Lane {
  readonly timesUs: number[] = [];
  right = true;
  readonly #socket: Socket;
  readonly #startedMs: number[] = [];
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
  }

  send(): void {
    this.#startedMs.push(performance.now());
    this.#socket.write(patternAt(this.#sentBytes, MESSAGE_BYTES.request));
    this.#sentBytes += MESSAGE_BYTES.request;
  }

  async answered(deadline: AbortSignal): Promise<void> {
    while (this.#startedMs.length > 0) await once(this.#socket, "data", { signal: deadline });
  }

  #receive(chunk: Buffer): void {
    const before = Math.floor(this.#receivedBytes / MESSAGE_BYTES.request);
    this.right &&= matchesPattern(chunk, this.#receivedBytes);
    this.#receivedBytes += chunk.length;
    const nowMs = performance.now();
    const whole = Math.floor(this.#receivedBytes / MESSAGE_BYTES.request) - before;
    for (const startedMs of this.#startedMs.splice(0, whole)) this.timesUs.push((nowMs - startedMs) * 1000);
  }
}

function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}
