/** Waiting for a condition, never for a time. */

export interface EventuallyOptions {
  /** Default 5 s. */
  readonly deadlineMs?: number;
  /** Default 10 ms. */
  readonly everyMs?: number;
}

type Truthy<T> = Exclude<T, undefined | null | false | 0 | "">;

/**
 * Tries `condition` until it gives something truthy (which it returns) or the deadline passes. A condition that throws is
 * tried again, so assertions may stand in it (end with `return true`); the last failure is the cause of the error at the deadline.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Truthy<T>> {
  const deadlineMs = options.deadlineMs ?? 5000;
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      failure = new Error(`condition gave ${String(value)}: ${condition.toString().slice(0, 200)}`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= endMs)
      throw new Error(`condition did not hold within ${deadlineMs} ms`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 10));
  }
}
