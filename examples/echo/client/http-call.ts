/** HTTP/1.0 (by hand: Node's client has no such version), HTTP/1.1 and HTTP/2. Redirects are answers. */

import { Agent, type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import type { Answer, HttpCall } from "./call.ts";
import { callHttp10 } from "./http10.ts";
import { type Outcome, timed } from "./outcome.ts";

export async function callHttp(call: HttpCall, timeoutMs: number): Promise<readonly Answer[]> {
  const make = caller(call, timeoutMs);
  const times = Array.from({ length: call.times ?? 1 });
  try {
    if (call.together === true) return await Promise.all(times.map(() => make.call()));
    const answers: Answer[] = [];
    for (const _ of times) {
      answers.push(await make.call());
      if (call.pauseMs !== undefined) await wait(call.pauseMs);
    }
    return answers;
  } finally {
    make.end();
  }
}

interface Caller {
  call(): Promise<Answer>;
  end(): void;
}

function caller(call: HttpCall, timeoutMs: number): Caller {
  if (call.version === "1.0") return { call: () => callHttp10(call, timeoutMs), end: () => {} };
  if (call.version === "2") return http2Caller(call, timeoutMs);
  const agent = new Agent({ keepAlive: call.keep === true, maxSockets: call.keep === true ? 1 : Infinity });
  return { call: () => timed(() => callHttp11(call, agent, timeoutMs)), end: () => agent.destroy() };
}

/** A Host header that is given is sent as it is. */
async function callHttp11(call: HttpCall, agent: Agent, timeoutMs: number): Promise<Outcome> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const { method = "GET", headers = {}, body } = call;
    const signal = AbortSignal.timeout(timeoutMs);
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(call.url, { method, headers: { ...length, ...headers }, agent, signal }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
  return await readAnswer(response.statusCode ?? 0, response, () => [response.headers, response.trailers]);
}

async function readAnswer(
  status: number,
  body: NodeJS.ReadableStream,
  fields: () => readonly [IncomingHttpHeaders, IncomingHttpHeaders | NodeJS.Dict<string>],
): Promise<Outcome> {
  const read = await text(body).then(
    (whole) => ({ body: whole }),
    (error: unknown) => ({ body: "", error: String(error) }),
  );
  const [headers, trailers] = fields();
  return { status, headers: plain(headers), trailers: plain(trailers), ...read };
}

function plain(headers: IncomingHttpHeaders | NodeJS.Dict<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name, value]) => value !== undefined && !name.startsWith(":"))
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : String(value)]),
  );
}

function http2Caller(call: HttpCall, timeoutMs: number): Caller {
  let kept: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    if (kept !== undefined && !kept.closed && !kept.destroyed) return kept;
    kept = connect(new URL(call.url).origin);
    kept.on("error", () => {});
    return kept;
  };
  const end = (): void => kept?.destroy();
  const one = async (): Promise<Answer> => {
    const answer = await timed(() => callHttp2(call, open(), timeoutMs));
    if (call.keep !== true && call.together !== true) end();
    return answer;
  };
  return { call: one, end };
}

function callHttp2(call: HttpCall, session: ClientHttp2Session, timeoutMs: number): Promise<Outcome> {
  const { pathname, search } = new URL(call.url);
  const lower = Object.entries(call.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  const { host, ...headers }: Record<string, string> = Object.fromEntries(lower);
  return new Promise((resolve, reject) => {
    const stream = session.request(
      {
        ":method": call.method ?? "GET",
        ":path": pathname + search,
        ...(host === undefined ? {} : { ":authority": host }),
        ...headers,
      },
      { signal: AbortSignal.timeout(timeoutMs) },
    );
    let trailers: IncomingHttpHeaders = {};
    stream.on("error", reject);
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("response", (fields) => {
      resolve(readAnswer(Number(fields[":status"]), stream, () => [fields, trailers]));
    });
    stream.end(call.body);
  });
}
