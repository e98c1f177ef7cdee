/** How one call ended and how long it took: a failure is an answer too. */

import type { Answer } from "./call.ts";

export type Outcome = Omit<Answer, "elapsedMs">;

export async function timed(call: () => Promise<Outcome>): Promise<Answer> {
  const startMs = performance.now();
  const outcome = await call().catch(failed);
  return { ...outcome, elapsedMs: Math.round(performance.now() - startMs) };
}

function failed(error: unknown): Outcome {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  return { status: 0, headers: {}, trailers: {}, body: "", error: `${code} ${message}`.trim() };
}
