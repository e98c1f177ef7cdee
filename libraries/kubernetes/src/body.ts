/** Reading the body of an answer: whole and bounded, or as a stream that ends with its signal. */

import type { IncomingMessage } from "node:http";
import { type Clock, MeshError } from "@meltemi/runtime";

export interface BodyBounds {
  readonly limitBytes: number;
  /** For the whole body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The whole body as text. Rejects with LIMIT_EXCEEDED, TIMEOUT, ABORTED, or UNAVAILABLE when the connection broke. */
export async function readBody(
  answer: IncomingMessage,
  what: string,
  bounds: BodyBounds,
  clock: Clock,
): Promise<string> {
  const end = new AbortController();
  const timer = clock.after(bounds.timeoutMs, () =>
    end.abort(new MeshError("TIMEOUT", `${what}: body not complete within ${bounds.timeoutMs} ms`)),
  );
  const signal = bounds.signal === undefined ? end.signal : AbortSignal.any([end.signal, bounds.signal]);
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of streamBody(answer, what, signal)) {
      bytes += chunk.length;
      if (bytes > bounds.limitBytes) {
        answer.destroy();
        throw new MeshError("LIMIT_EXCEEDED", `${what}: answer exceeds ${bounds.limitBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    timer.cancel();
  }
}

/** The body chunk by chunk, at the reader's pace. Ends with an error when the signal fires or the connection breaks. */
export async function* streamBody(
  answer: IncomingMessage,
  what: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const onAbort = (): void => {
    answer.destroy();
  };
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
    // A destroyed stream may also just end.
    if (signal?.aborted) throw abortError(what, signal);
  } catch (cause) {
    if (signal?.aborted) throw abortError(what, signal);
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("UNAVAILABLE", `${what}: connection broke in the answer`, { cause });
  } finally {
    signal?.removeEventListener("abort", onAbort);
    answer.destroy();
  }
}

function abortError(what: string, signal: AbortSignal): MeshError {
  if (signal.reason instanceof MeshError) return signal.reason;
  return new MeshError("ABORTED", `${what}: aborted`, { cause: signal.reason });
}
