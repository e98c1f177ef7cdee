/** A request in a tunnel of one's own making, past every proxy that would make it. */

import { connect } from "node:http2";
import type { Answer, TunnelCall } from "./call.ts";
import { parseAnswer } from "./http10.ts";
import { type Outcome, timed } from "./outcome.ts";

export async function callTunnel(call: TunnelCall, timeoutMs: number): Promise<readonly Answer[]> {
  return [await timed(() => request(call, timeoutMs))];
}

function request({ proxy, authority, certificate, key }: TunnelCall, timeoutMs: number): Promise<Outcome> {
  const session = connect(`https://${proxy}`, { cert: certificate, key, rejectUnauthorized: false });
  return new Promise<Outcome>((resolve, reject) => {
    session.on("error", reject);
    const tunnel = session.request(
      { ":method": "CONNECT", ":authority": authority },
      { signal: AbortSignal.timeout(timeoutMs), endStream: false },
    );
    let status = 0;
    let whole = "";
    tunnel.on("error", reject);
    tunnel.on("response", (fields) => {
      status = Number(fields[":status"]);
    });
    tunnel.setEncoding("latin1").on("data", (text: string) => {
      whole += text;
    });
    tunnel.on("close", () => reject(new Error("the connection ended before the tunnel was answered")));
    tunnel.on("end", () => {
      if (status === 0) return;
      const nothing = { headers: {}, trailers: {}, body: "" };
      resolve(status === 200 ? { ...nothing, ...parseAnswer(whole) } : { ...nothing, status });
    });
    tunnel.write(`GET / HTTP/1.0\r\nHost: ${authority}\r\n\r\n`);
  }).finally(() => session.destroy());
}
