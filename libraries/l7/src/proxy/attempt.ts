/** One try of a request at one endpoint: waits for a connection, sends the head, carries bytes both ways, and reports one end. */

import type {
  ClientConnection,
  ClientExchange,
  HeaderFields,
  HttpAbort,
  HttpFault,
  HttpVersion,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
} from "@meltemi/http";
import type { ConnectionWaiter, DialFailure, EndpointPool } from "../upstream/endpoint-pool.ts";
import type { UpstreamCluster, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { acceptUpgrade } from "./websocket-handshake.ts";

/** Why a try ended without a whole response. */
export type AttemptFailure =
  | { readonly kind: "connectFailed"; readonly failure: DialFailure }
  /** The cluster's bound on waiting requests. */
  | { readonly kind: "overflow" }
  | { readonly kind: "fault"; readonly fault: HttpFault; readonly sent: boolean };

/** Who tries. After `onAttemptFailed` and after the response's end nothing further is called. */
export interface AttemptOwner {
  /** The head is on its way; the body may follow. */
  onAttemptSending(attempt: Attempt): void;
  onAttemptInformational(status: number, headers: HeaderFields): void;
  onAttemptResponse(attempt: Attempt, head: ResponseHead, ended: boolean): void;
  onAttemptData(chunk: Uint8Array, lent: boolean): void;
  onAttemptEnd(attempt: Attempt, trailers: HeaderFields | undefined): void;
  onAttemptWritable(): void;
  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void;
}

export const SWITCHING_PROTOCOLS = 101;

export class Attempt implements ResponseReceiver, ConnectionWaiter {
  readonly endpoint: UpstreamEndpoint;
  readonly cluster: UpstreamCluster;
  readonly startedMs: number;
  readonly #owner: AttemptOwner;
  readonly #head: RequestHead;
  readonly #ended: boolean;
  readonly #pool: EndpointPool;
  #exchange: ClientExchange | undefined;
  #version: HttpVersion | undefined;
  #state: "waiting" | "open" | "over" = "waiting";
  /** An accepted upgrade is over when both of its directions are. */
  #isTunnel = false;
  #requestEnded = false;
  #responseEnded = false;

  constructor(
    owner: AttemptOwner,
    cluster: UpstreamCluster,
    endpoint: UpstreamEndpoint,
    head: RequestHead,
    ended: boolean,
    nowMs: number,
  ) {
    this.#owner = owner;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.#pool = endpoint.poolFor(head.version);
    this.#head = head;
    this.#ended = ended;
    this.startedMs = nowMs;
  }

  get isSending(): boolean {
    return this.#state === "open";
  }

  start(): void {
    this.endpoint.active++;
    const connection = this.#pool.take();
    if (connection !== undefined) this.onConnection(connection);
    else if (!this.#pool.wait(this)) this.#fail({ kind: "overflow" });
  }

  onConnection(connection: ClientConnection): void {
    this.#state = "open";
    this.#version = connection.version;
    this.#exchange = connection.send(this.#head, this.#ended, this);
    this.#pool.sent(connection);
    this.#owner.onAttemptSending(this);
  }

  onConnectFailed(failure: DialFailure): void {
    this.#fail({ kind: "connectFailed", failure });
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    return this.#exchange?.write(chunk, lent) ?? false;
  }

  end(trailers: HeaderFields | undefined): void {
    this.#requestEnded = true;
    this.#exchange?.end(trailers);
    if (this.#responseEnded) this.#over();
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  /** Gives up; the owner hears nothing more. */
  abort(reason: HttpAbort): void {
    if (this.#state === "over") return;
    if (this.#state === "waiting") this.#pool.cancel(this);
    this.#over();
    this.#exchange?.abort(reason);
  }

  /** The response is whole; what is left of the request is not wanted. */
  abandonRequest(): void {
    this.#exchange?.abort("cancelled");
  }

  onInformational(status: number, headers: HeaderFields): void {
    this.#owner.onAttemptInformational(status, headers);
  }

  onResponse(head: ResponseHead, ended: boolean): void {
    this.#isTunnel = head.status === SWITCHING_PROTOCOLS;
    if (this.#isTunnel && !this.#acceptUpgrade(head)) return;
    if (ended) this.#over();
    this.#owner.onAttemptResponse(this, head, ended);
  }

  /** False: the service did not understand what it agreed to, and the attempt has failed. */
  #acceptUpgrade(head: ResponseHead): boolean {
    const detail = this.#version && acceptUpgrade(this.#head, this.#version, head);
    if (detail === undefined) return true;
    this.#exchange?.abort("upstream-failed");
    this.#fail({ kind: "fault", fault: { kind: "protocol", detail }, sent: true });
    return false;
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    this.#owner.onAttemptData(chunk, lent);
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.#responseEnded = true;
    if (this.#requestEnded || !this.#isTunnel) this.#over();
    this.#owner.onAttemptEnd(this, trailers);
  }

  onWritable(): void {
    this.#owner.onAttemptWritable();
  }

  onFault(fault: HttpFault): void {
    this.#fail({ kind: "fault", fault, sent: true });
  }

  #fail(failure: AttemptFailure): void {
    if (this.#state === "over") return;
    this.#over();
    this.#owner.onAttemptFailed(this, failure);
  }

  #over(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.endpoint.active--;
  }
}
