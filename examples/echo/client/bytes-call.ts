/** Plain TCP, or TLS with a server name of choice. */

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Answer, BytesCall } from "./call.ts";
import { type Outcome, timed } from "./outcome.ts";

export async function callBytes(call: BytesCall, timeoutMs: number): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < (call.times ?? 1); i++) answers.push(await timed(() => exchangeBytes(call, timeoutMs)));
  return answers;
}

/** What was read before a failure is told with it. */
export function exchangeBytes(call: BytesCall, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const { host, port, serverName: servername } = call;
    const socket: Socket =
      servername === undefined
        ? connect({ host, port })
        : connectTls({ host, port, servername, rejectUnauthorized: false });
    let body = "";
    const done = (error?: string): void => {
      socket.destroy();
      resolve({ status: 0, headers: {}, trailers: {}, body, ...(error === undefined ? {} : { error }) });
    };
    socket.setTimeout(timeoutMs, () => done("no answer in time"));
    socket.on("error", (error) => done(error.message));
    socket.on("end", () => done());
    socket.setEncoding("latin1").on("data", (text: string) => {
      body += text;
      if (call.until !== undefined && body.endsWith(call.until)) done();
    });
    socket.write(call.send);
  });
}
