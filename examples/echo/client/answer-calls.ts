/** Reads calls line by line and answers each when it is done: several may be under way. */

import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { callBytes } from "./bytes-call.ts";
import type { Answer, Call } from "./call.ts";
import { callGrpc } from "./grpc-call.ts";
import { callHttp } from "./http-call.ts";
import { callTunnel } from "./tunnel-call.ts";
import { callWebSocket } from "./websocket-call.ts";

const USUAL_TIMEOUT_MS = 5000;

export async function answerCalls(input: Readable, output: Writable): Promise<void> {
  const pending = new Set<Promise<void>>();
  for await (const line of createInterface({ input })) {
    const call = JSON.parse(line) as Call;
    const answered = makeCalls(call).then((answers) => {
      pending.delete(answered);
      output.write(`${JSON.stringify({ id: call.id, answers })}\n`);
    });
    pending.add(answered);
  }
  await Promise.all(pending);
}

function makeCalls(call: Call): Promise<readonly Answer[]> {
  const timeoutMs = call.timeoutMs ?? USUAL_TIMEOUT_MS;
  switch (call.kind) {
    case "http":
      return callHttp(call, timeoutMs);
    case "grpc":
      return callGrpc(call, timeoutMs);
    case "websocket":
      return callWebSocket(call, timeoutMs);
    case "bytes":
      return callBytes(call, timeoutMs);
    case "tunnel":
      return callTunnel(call, timeoutMs);
  }
}
