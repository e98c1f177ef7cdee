/** What carries one request at a time, and loads over many of them: as fast as answers come, or at a fixed rate. */

import type { Load, LoadReply } from "./messages.ts";

export interface Lane {
  /** The next request; only when the last was answered. */
  send(): void;
}

export type OnAnswer = (lane: Lane, right: boolean) => void;

/** Lanes of one kind, with what makes them move. */
export interface Lanes {
  readonly lanes: readonly Lane[];
  /** Hears of every answer; set by the load. */
  onAnswer: OnAnswer;
  /** Waits for answers, not longer than so. */
  turn(waitMs: number): void | Promise<void>;
  close(): void;
}

/** Answers of the last requests; longer is a fault. */
const LAST_ANSWERS_MS = 5000;
const CLOSED_TURN_MS = 100;

type Result = Omit<LoadReply, "cpuSeconds">;

export async function runLoad(lanes: Lanes, { durationMs, perSecond }: Load): Promise<Result> {
  const count = { answered: 0, right: 0 };
  const startMs = performance.now();
  const timesUs =
    perSecond === undefined
      ? await closedLoop(lanes, startMs + durationMs, count)
      : await openLoop(lanes, startMs, durationMs, perSecond, count);
  const tookMs = performance.now() - startMs;
  timesUs.sort((a, b) => a - b);
  return {
    correct: count.right === count.answered && count.answered > 0,
    answered: count.answered,
    perSecond: (count.answered * 1000) / tookMs,
    p50Us: percentile(timesUs, 0.5),
    p99Us: percentile(timesUs, 0.99),
  };
}

interface Count {
  answered: number;
  right: number;
}

async function closedLoop(lanes: Lanes, endMs: number, count: Count): Promise<number[]> {
  let running = lanes.lanes.length;
  lanes.onAnswer = (lane, right) => {
    count.answered++;
    if (right) count.right++;
    if (performance.now() < endMs) lane.send();
    else running--;
  };
  for (const lane of lanes.lanes) lane.send();
  while (running > 0) {
    if (performance.now() > endMs + LAST_ANSWERS_MS) throw new Error(`${running} requests without answer`);
    await lanes.turn(CLOSED_TURN_MS);
  }
  return [];
}

/** A stalled path does not slow the requests down: the time of each begins when its turn came, whether a lane was free or not. */
async function openLoop(
  lanes: Lanes,
  startMs: number,
  durationMs: number,
  perSecond: number,
  count: Count,
): Promise<number[]> {
  const total = Math.floor((durationMs * perSecond) / 1000);
  const stepMs = 1000 / perSecond;
  const free = [...lanes.lanes];
  const waiting: number[] = [];
  const sinceMs = new Map<Lane, number>();
  const timesUs: number[] = [];
  const start = (lane: Lane, dueMs: number): void => {
    sinceMs.set(lane, dueMs);
    lane.send();
  };
  lanes.onAnswer = (lane, right) => {
    timesUs.push((performance.now() - (sinceMs.get(lane) ?? Number.NaN)) * 1000);
    count.answered++;
    if (right) count.right++;
    const dueMs = waiting.shift();
    if (dueMs === undefined) free.push(lane);
    else start(lane, dueMs);
  };
  for (let sent = 0; count.answered < total; ) {
    const nowMs = performance.now();
    if (nowMs > startMs + durationMs + LAST_ANSWERS_MS)
      throw new Error(`${total - count.answered} requests without answer`);
    for (; sent < total && startMs + sent * stepMs <= nowMs; sent++) {
      // Lateness of this program is not the path's: its turn is now.
      const lane = free.shift();
      if (lane === undefined) waiting.push(nowMs);
      else start(lane, nowMs);
    }
    await lanes.turn(sent < total ? Math.max(0, startMs + sent * stepMs - performance.now()) : stepMs);
  }
  return timesUs;
}

function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}
