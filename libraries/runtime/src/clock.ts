/**
 * Time as an argument. Nothing outside this file asks the machine for the time or sets a timer;
 * a test passes its own clock and moves it.
 */

export interface Timer {
  /** Stops the timer; stopping twice, or after it fired, does nothing. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch, for dates that leave the process (certificates, logs). */
  nowMs(): number;
  /** Milliseconds of a clock that never steps back, for durations and deadlines. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer;
}

/** Longest delay a Node timer takes; beyond it Node would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const handle = setTimeout(task, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason when it is aborted first. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
