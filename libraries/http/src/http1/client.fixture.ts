/** A client connection on a memory channel with a receiver that records, for tests. */

import { type Clock, systemClock } from "@meltemi/runtime";
import type {
  ClientConnection,
  HttpFault,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { createHttp1Client, HTTP1_CLIENT_DEFAULTS } from "./client.ts";
import { MemoryChannel } from "./memory-channel.fixture.ts";

export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

export function head(changes: Partial<RequestHead> = {}): RequestHead {
  return {
    version: "HTTP/1.1",
    method: "GET",
    scheme: "http",
    authority: "a",
    path: "/",
    headers: new HeaderFields(),
    expectsContinue: false,
    ...changes,
  };
}

export class Seen implements ResponseReceiver {
  readonly events: string[] = [];
  head: ResponseHead | undefined;
  body = "";
  trailers: HeaderFields | undefined;
  failure: HttpFault | undefined;
  onEnded: () => void = () => {};

  onInformational(status: number): void {
    this.events.push(String(status));
  }

  onResponse(response: ResponseHead, ended: boolean): void {
    this.head = response;
    this.events.push(ended ? "response, ended" : "response");
    if (ended) this.onEnded();
  }

  onData(chunk: Uint8Array): void {
    this.body += Buffer.from(chunk).toString("latin1");
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.trailers = trailers;
    this.events.push("end");
    this.onEnded();
  }

  onWritable(): void {
    this.events.push("writable");
  }

  onFault(fault: HttpFault): void {
    this.failure = fault;
    this.events.push("fault");
  }
}

export interface TestClient {
  readonly channel: MemoryChannel;
  readonly client: ClientConnection;
  /** What the owner was told. */
  readonly told: string[];
  readonly internalErrors: unknown[];
}

export function testClient(clock: Clock = systemClock): TestClient {
  const channel = new MemoryChannel();
  const told: string[] = [];
  const internalErrors: unknown[] = [];
  const owner = {
    onCapacity: () => void told.push("capacity"),
    onDraining: () => void told.push("draining"),
    onClosed: () => void told.push("closed"),
  };
  const deps = { clock, onInternalError: (error: unknown) => void internalErrors.push(error) };
  const client = createHttp1Client(channel, owner, HTTP1_CLIENT_DEFAULTS, deps);
  return { channel, client, told, internalErrors };
}
