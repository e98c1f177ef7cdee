/** A server connection on a memory channel with a handler that records, for tests. */

import { type Clock, systemClock } from "@meltemi/runtime";
import type {
  BodyReceiver,
  HttpFault,
  ResponseHead,
  ServerConnection,
  ServerConnectionOwner,
  ServerExchange,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { MemoryChannel } from "./memory-channel.fixture.ts";
import { createHttp1Server, HTTP1_SERVER_DEFAULTS } from "./server.ts";
import type { Http1ServerOptions } from "./server-connection.ts";

/** One exchange with all that was told of its request. */
export class SeenExchange implements BodyReceiver {
  readonly exchange: ServerExchange;
  readonly events: string[] = [];
  body = "";
  trailers: HeaderFields | undefined;
  ended = false;
  writable = 0;
  failure: HttpFault | undefined;

  constructor(exchange: ServerExchange) {
    this.exchange = exchange;
  }

  onData(chunk: Uint8Array): void {
    this.body += Buffer.from(chunk).toString("latin1");
    this.events.push("data");
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.ended = true;
    this.trailers = trailers;
    this.events.push("end");
  }

  onWritable(): void {
    this.writable++;
  }

  onFault(fault: HttpFault): void {
    this.failure = fault;
    this.events.push("fault");
  }

  /** Answers at once with a body of known length. */
  answer(status: number, body = "", ...fields: readonly (readonly [string, string])[]): void {
    const headers = HeaderFields.of(...fields, ["content-length", String(body.length)]);
    this.exchange.respond({ status, headers }, body === "");
    if (body === "") return;
    this.exchange.write(Buffer.from(body, "latin1"), true);
    this.exchange.end();
  }
}

export interface TestServer {
  readonly channel: MemoryChannel;
  readonly connection: ServerConnection;
  readonly seen: SeenExchange[];
  readonly refused: { readonly status: number; readonly detail: string }[];
  readonly internalErrors: unknown[];
  readonly closed: () => boolean;
  /** The exchange that came last. */
  readonly last: () => SeenExchange;
}

export interface TestServerOptions extends Partial<Http1ServerOptions> {
  readonly clock?: Clock;
}

/** `onExchange` may answer at once; without it the exchange is received and left open. */
export function testServer(
  options: TestServerOptions = {},
  onExchange: (seen: SeenExchange) => void = (seen) => seen.exchange.receive(seen),
): TestServer {
  const channel = new MemoryChannel();
  const seen: SeenExchange[] = [];
  const refused: { status: number; detail: string }[] = [];
  const internalErrors: unknown[] = [];
  let closed = false;
  const owner: ServerConnectionOwner = {
    onExchange(exchange) {
      const one = new SeenExchange(exchange);
      seen.push(one);
      onExchange(one);
    },
    onRefused: (status, detail) => void refused.push({ status, detail }),
    onClosed() {
      closed = true;
    },
  };
  const deps = {
    clock: options.clock ?? systemClock,
    onInternalError: (error: unknown) => void internalErrors.push(error),
  };
  const connection = createHttp1Server({ ...HTTP1_SERVER_DEFAULTS, ...options }, deps).accept(channel, owner);
  const last = (): SeenExchange => {
    const one = seen.at(-1);
    if (one === undefined) throw new TypeError("no exchange yet");
    return one;
  };
  return { channel, connection, seen, refused, internalErrors, closed: () => closed, last };
}

/** What was put off to the end of the turn is done after it. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** What {@link answerAtOnce} sends. */
export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

export const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

export function ok(...fields: readonly (readonly [string, string])[]): ResponseHead {
  return { status: 200, headers: HeaderFields.of(...fields) };
}

export function answerAtOnce(seen: SeenExchange): void {
  seen.exchange.receive(seen);
  seen.answer(200);
}
