/** A call of the API: sends JSON, reads JSON, turns refusals into errors, waits when the server says so. */

import type { IncomingMessage } from "node:http";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import { readBody } from "./body.ts";
import { parseStatus, statusError } from "./status-error.ts";
import type { HttpRequest, Transport } from "./transport.ts";

export const REQUEST_TIMEOUT_MS: number = 30_000;
/** A page of 500 objects of 128 KiB each; larger pages mean a smaller `pageSize` is needed. */
export const RESPONSE_LIMIT_BYTES: number = 64 * 1024 * 1024;
/** A refusal is a Status of a few hundred bytes. */
const REFUSAL_LIMIT_BYTES = 1024 * 1024;
/** Priority and fairness answers 429 with Retry-After: try again a few times, then let the caller decide. */
const THROTTLED_TRIES = 4;
const RETRY_AFTER_LIMIT_MS = 10_000;

interface Call {
  /** For messages: `create pods default/a`. */
  readonly action: string;
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface Exchange {
  /** The answer's body as parsed JSON; throws a status error for anything but 2xx. */
  json(call: Call): Promise<unknown>;
  /** The answer with its body unread, for streams; throws as `json` does. */
  stream(call: Call): Promise<IncomingMessage>;
}

/** `timeoutMs`: of calls that name none. */
export function createExchange(
  transport: Transport,
  deps: { readonly clock: Clock; readonly timeoutMs?: number | undefined },
): Exchange {
  const succeed = async (asked: Call): Promise<IncomingMessage> => {
    const call = { ...asked, timeoutMs: asked.timeoutMs ?? deps.timeoutMs };
    for (let attempt = 1; ; attempt++) {
      const answer = await transport.send(httpRequest(call));
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return answer;
      const refusal = await readRefusal(answer, call, deps.clock);
      const waitMs = status === 429 ? retryAfterMs(answer.headers["retry-after"]) : undefined;
      if (waitMs === undefined || attempt >= THROTTLED_TRIES) throw statusError(call.action, refusal);
      await delay(deps.clock, waitMs, call.signal);
    }
  };
  return {
    stream: succeed,
    async json(call) {
      const answer = await succeed(call);
      const text = await readBody(answer, call.action, bounds(call, RESPONSE_LIMIT_BYTES), deps.clock);
      return parseJson(text, call.action);
    },
  };
}

function httpRequest(call: Call): HttpRequest {
  return {
    method: call.method,
    path: call.path,
    body: call.body === undefined ? undefined : JSON.stringify(call.body),
    contentType: call.contentType,
    accept: call.accept,
    signal: call.signal,
    timeoutMs: call.timeoutMs ?? REQUEST_TIMEOUT_MS,
  };
}

function bounds(call: Call, limitBytes: number) {
  return { limitBytes, timeoutMs: call.timeoutMs ?? REQUEST_TIMEOUT_MS, signal: call.signal };
}

async function readRefusal(answer: IncomingMessage, call: Call, clock: Clock) {
  const text = await readBody(answer, call.action, bounds(call, REFUSAL_LIMIT_BYTES), clock);
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy between us and the server answers in plain text: its text is the message.
  }
  return { ...parseStatus(answer.statusCode ?? 0, body), code: answer.statusCode ?? 0 };
}

function parseJson(text: string, action: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError("PROTOCOL_VIOLATION", `${action}: the answer is not JSON`, { cause });
  }
}

/** Milliseconds of a Retry-After header in seconds, bounded; undefined when there is none. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined;
  return Math.min(RETRY_AFTER_LIMIT_MS, Number(header) * 1000);
}
