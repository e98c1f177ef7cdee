/** One HTTP request to an admin port, over a connection that somebody else opened. */

import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, MeshError } from "@meltemi/runtime";

export interface AdminRequest {
  readonly method: "GET" | "POST";
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** A dump of 50 000 workloads is some 50 MB. */
const BODY_LIMIT_BYTES = 256 * 1024 * 1024;
/** A proxy that is busy answers late; one that hangs does not hold the user. */
const ANSWER_TIMEOUT_MS = 30_000;

/** `what` is for messages: `GET /config_dump of pod a/b`. Always ends the connection. */
export async function requestOver(
  stream: Duplex,
  what: string,
  request: AdminRequest,
  deps: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<AdminAnswer> {
  const onAbort = (): void => void stream.destroy(new MeshError("ABORTED", `${what}: aborted`));
  const timer = deps.clock.after(ANSWER_TIMEOUT_MS, () =>
    stream.destroy(new MeshError("TIMEOUT", `${what}: no answer within ${ANSWER_TIMEOUT_MS} ms`)),
  );
  deps.signal.addEventListener("abort", onAbort, { once: true });
  if (deps.signal.aborted) onAbort();
  try {
    const answer = await headOver(stream, request);
    return { status: answer.statusCode ?? 0, body: await bodyOf(answer, what) };
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("UNAVAILABLE", `${what}: no answer`, { cause });
  } finally {
    timer.cancel();
    deps.signal.removeEventListener("abort", onAbort);
    stream.destroy();
  }
}

function headOver(stream: Duplex, { method, path, headers }: AdminRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method,
      path,
      headers: { host: "localhost", connection: "close", ...headers },
      createConnection: () => stream,
    });
    // The stream knows more of what happened than the request that used it.
    stream.once("error", reject);
    outgoing.once("error", reject);
    outgoing.once("response", resolve);
    outgoing.end();
  });
}

async function bodyOf(answer: IncomingMessage, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_LIMIT_BYTES)
      throw new MeshError("LIMIT_EXCEEDED", `${what}: expected at most ${BODY_LIMIT_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
