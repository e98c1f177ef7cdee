/** HTTP/1.0 by hand: Node's client has no such version. */

import { exchangeBytes } from "./bytes-call.ts";
import type { Answer, HttpCall } from "./call.ts";
import { timed } from "./outcome.ts";

export async function callHttp10(call: HttpCall, timeoutMs: number): Promise<Answer> {
  const url = new URL(call.url);
  const { method = "GET", body = "" } = call;
  const length = body === "" ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  const fields = Object.entries({ Host: url.host, ...length, ...call.headers });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const send = `${method} ${url.pathname}${url.search} HTTP/1.0\r\n${head}\r\n${body}`;
  const port = Number(url.port === "" ? 80 : url.port);
  const call10 = { kind: "bytes", host: url.hostname, port, send } as const;
  return await timed(async () => {
    const answer = await exchangeBytes(call10, timeoutMs);
    return answer.error === undefined ? { ...answer, ...parseAnswer(answer.body) } : answer;
  });
}

/** The whole of an answer to HTTP/1.0: it has no chunks, and ends with the connection. */
export function parseAnswer(whole: string): Pick<Answer, "status" | "headers" | "body"> {
  const end = whole.indexOf("\r\n\r\n");
  const [line = "", ...fields] = whole.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(":")).toLowerCase(),
      field.slice(field.indexOf(":") + 1).trim(),
    ]),
  );
  return { status: Number(line.split(" ")[1]), headers, body: whole.slice(end + 4) };
}
