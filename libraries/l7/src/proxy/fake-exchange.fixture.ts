/** A client's exchange, seen from the client; no sockets. */

import {
  type BodyReceiver,
  HeaderFields,
  type HttpAbort,
  type RequestHead,
  type ResponseHead,
  type ServerExchange,
} from "@meltemi/http";

export class FakeExchange implements ServerExchange {
  readonly request: RequestHead;
  readonly requestEnded: boolean;
  receiver: BodyReceiver | undefined;
  head: ResponseHead | undefined;
  body = "";
  trailers: HeaderFields | undefined;
  ended = false;
  paused = false;
  aborted: HttpAbort | undefined;
  readonly informed: number[] = [];
  /** What `write` answers. */
  writable = true;
  /** The client is gone: what is written goes nowhere. */
  left = false;

  constructor(request: Partial<RequestHead>, hasBody: boolean) {
    this.request = {
      version: "HTTP/1.1",
      method: "GET",
      scheme: "http",
      authority: "reviews",
      path: "/",
      headers: new HeaderFields(),
      expectsContinue: false,
      ...request,
    };
    this.requestEnded = !hasBody;
  }

  get status(): number | undefined {
    return this.head?.status;
  }
  get isReading(): boolean {
    return this.receiver !== undefined;
  }
  /** The client goes away; whoever receives too late hears of it too. */
  leave(): void {
    this.left = true;
    if (this.aborted === undefined) this.receiver?.onFault({ kind: "reset", detail: "client gone" });
  }
  receive(receiver: BodyReceiver): void {
    this.receiver = receiver;
    if (this.left) queueMicrotask(() => receiver.onFault({ kind: "reset", detail: "client gone" }));
    else if (this.requestEnded) receiver.onEnd(undefined);
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  inform(status: number): void {
    this.informed.push(status);
  }
  respond(head: ResponseHead, ended: boolean): void {
    if (this.left) return;
    if (this.head !== undefined) throw new Error("responded twice");
    this.head = head;
    this.ended = ended;
  }
  write(chunk: Uint8Array): boolean {
    if (this.left) return true;
    if (this.head === undefined || this.ended) throw new Error("body without head, or after the end");
    this.body += Buffer.from(chunk).toString();
    return this.writable;
  }
  end(trailers?: HeaderFields): void {
    if (this.left) return;
    if (this.ended) throw new Error("ended twice");
    this.ended = true;
    this.trailers = trailers;
  }
  abort(reason: HttpAbort): void {
    this.aborted = reason;
  }
}
