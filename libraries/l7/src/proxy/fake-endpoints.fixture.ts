/** Endpoints whose connections do what the test says; no sockets. */

import {
  type ClientConnection,
  type ClientConnectionOwner,
  type ClientExchange,
  HeaderFields,
  type HttpAbort,
  type HttpFault,
  type RequestHead,
  type ResponseReceiver,
} from "@meltemi/http";
import { ip } from "@meltemi/model";
import { EndpointPool, type EndpointPoolDeps } from "../upstream/endpoint-pool.ts";
import type { UpstreamEndpoint } from "../upstream/upstream-cluster.ts";

/** One request at an endpoint, seen from there. */
export class FakeTry implements ClientExchange {
  readonly uid: string;
  readonly head: RequestHead;
  readonly receiver: ResponseReceiver;
  body = "";
  ended: boolean;
  paused = false;
  aborted: HttpAbort | undefined;
  status = 0;
  responseEnded = false;
  broken = false;
  readonly #onOver: () => void;

  constructor(
    uid: string,
    head: RequestHead,
    ended: boolean,
    receiver: ResponseReceiver,
    onOver: () => void,
  ) {
    this.uid = uid;
    this.head = { ...head, headers: head.headers.copy() };
    this.ended = ended;
    this.receiver = receiver;
    this.#onOver = onOver;
  }

  /** Nothing more is read or written: the connection is free. */
  get isOver(): boolean {
    return this.aborted !== undefined || this.broken || (this.ended && this.responseEnded);
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver || this.ended) throw new Error("body after the end");
    this.body += Buffer.from(chunk).toString();
    return true;
  }
  end(): void {
    if (this.isOver || this.ended) throw new Error("ended twice");
    this.ended = true;
    this.#mayBeOver();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  abort(reason: HttpAbort): void {
    if (this.isOver) return;
    this.aborted = reason;
    this.#mayBeOver();
  }
  answer(status: number, body?: string, ...fields: readonly (readonly [string, string])[]): void {
    this.respond(status, body === undefined, ...fields);
    if (body === undefined || this.aborted !== undefined) return;
    this.receiver.onData(Buffer.from(body), false);
    if (this.aborted === undefined) this.finish();
  }
  respond(status: number, ended: boolean, ...fields: readonly (readonly [string, string])[]): void {
    this.status = status;
    this.responseEnded = ended;
    this.receiver.onResponse({ status, headers: HeaderFields.of(...fields) }, ended);
    this.#mayBeOver();
  }
  finish(): void {
    this.responseEnded = true;
    this.receiver.onEnd(undefined);
    this.#mayBeOver();
  }
  fail(fault: HttpFault): void {
    this.broken = true;
    this.receiver.onFault(fault);
    this.#mayBeOver();
  }
  #mayBeOver(): void {
    if (this.isOver) queueMicrotask(this.#onOver);
  }
}

export interface FakeEndpoints {
  readonly uids: readonly string[];
  readonly connectTimeoutMs: number;
  /** Those whose connections are refused. */
  readonly refusing: ReadonlySet<string>;
  /** Every request at any of them is added. */
  readonly tries: FakeTry[];
}

export function fakeEndpoints(
  { uids, connectTimeoutMs, refusing, tries }: FakeEndpoints,
  deps: Omit<EndpointPoolDeps, "dial">,
): readonly UpstreamEndpoint[] {
  return uids.map((uid, index) => {
    const dial = async (owner: ClientConnectionOwner) =>
      refusing.has(uid)
        ? ({ kind: "failed", timedOut: false, detail: `connect to ${uid}: refused` } as const)
        : ({ kind: "open", connection: fakeConnection(owner, uid, tries) } as const);
    const pool = new EndpointPool(
      { connectTimeoutMs, idleTimeoutMs: 0, maxRequestsPerConnection: 0, requestsAtOnce: 1 },
      { ...deps, dial },
    );
    return {
      uid,
      ip: ip(`10.0.0.${index + 1}`),
      port: 8080,
      workload: undefined,
      poolFor: () => pool,
      active: 0,
    };
  });
}

/** HTTP/1.1: one exchange at a time, each answered by the test. */
function fakeConnection(owner: ClientConnectionOwner, uid: string, tries: FakeTry[]): ClientConnection {
  let isUsed = false;
  return {
    version: "HTTP/1.1",
    capacity: 1,
    active: 0,
    send(head, ended, receiver) {
      isUsed = true;
      const made = new FakeTry(uid, head, ended, receiver, () => owner.onClosed(this));
      tries.push(made);
      owner.onDraining(this);
      return made;
    },
    drain() {
      owner.onDraining(this);
      if (!isUsed) owner.onClosed(this);
    },
    close() {},
  };
}
