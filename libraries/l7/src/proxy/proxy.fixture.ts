/** A client's exchange and a cluster whose connections do what the test says; no sockets. */

import {
  type BodyReceiver,
  type ClientConnection,
  type ClientConnectionOwner,
  type ClientExchange,
  HeaderFields,
  type HttpAbort,
  type HttpFault,
  type RequestHead,
  type ResponseHead,
  type ResponseReceiver,
  type ServerExchange,
} from "@meltemi/http";
import { type Ip, ip } from "@meltemi/model";
import type { Cluster, HttpRoute, RetryPolicy } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { TryResult } from "../balance/outlier-detector.ts";
import type { RequestFilter } from "../request-context.ts";
import { compileRoutes } from "../routing/route-table.ts";
import { ConnectionLimits } from "../upstream/connection-limits.ts";
import { EndpointPool } from "../upstream/endpoint-pool.ts";
import type { UpstreamCluster, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { HeldBytes } from "./held-body.ts";
import { createHttpProxy } from "./http-proxy.ts";
import type { RequestRecord, RequestTracer } from "./request-record.ts";
import type { HttpSite } from "./site.ts";

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

const RETRY: RetryPolicy = {
  retries: 2,
  on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"],
  statusCodes: [503],
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  avoidPreviousHosts: true,
  otherLocalities: false,
};

export const CLUSTER: Cluster = {
  name: "inbound-vip|80|http|reviews.default.svc.cluster.local",
  service: { namespace: "default", hostname: "reviews.default.svc.cluster.local" },
  port: 80,
  protocol: "http1",
  loadBalancer: { kind: "roundRobin" },
  connectionPool: {
    connectTimeoutMs: 1000,
    tcpIdleTimeoutMs: 0,
    maxRequestsPerConnection: 0,
    httpIdleTimeoutMs: 0,
  },
};

export interface ProxyBench {
  readonly tries: FakeTry[];
  readonly outcomes: (TryResult & { readonly uid: string })[];
  readonly records: RequestRecord[];
  readonly errors: unknown[];
  readonly limits: ConnectionLimits;
  /** Bodies that are kept, of all requests. */
  readonly heldBytes: HeldBytes;
  readonly endpoints: readonly UpstreamEndpoint[];
  /** Endpoints whose connections are refused. */
  readonly refusing: Set<string>;
  send(request?: Partial<RequestHead>, hasBody?: boolean): FakeExchange;
  /** Connections that are not in use are closed. */
  retire(): void;
  /** Until everything that was promised is done. */
  settle(): Promise<void>;
}

export interface BenchOptions {
  readonly routes?: readonly HttpRoute[];
  readonly filters?: readonly RequestFilter[];
  readonly retry?: Partial<RetryPolicy>;
  readonly endpoints?: readonly string[];
  readonly cluster?: Partial<Cluster>;
  readonly bounds?: ConstructorParameters<typeof ConnectionLimits>[0];
  readonly connectTimeoutMs?: number;
  readonly maxHeldBytes?: number;
  readonly tracer?: RequestTracer;
  /** Called before an endpoint is chosen; may throw. */
  readonly onChoose?: () => void;
}

export function createProxyBench(clock: Clock, given: BenchOptions = {}): ProxyBench {
  const tries: FakeTry[] = [];
  const outcomes: ProxyBench["outcomes"] = [];
  const records: RequestRecord[] = [];
  const errors: unknown[] = [];
  const refusing = new Set<string>();
  const limits = new ConnectionLimits(given.bounds ?? {});
  const onInternalError = (error: unknown): void => void errors.push(error);
  const endpoints = (given.endpoints ?? ["a", "b", "c"]).map((uid, index): UpstreamEndpoint => {
    const dial = async (owner: ClientConnectionOwner) =>
      refusing.has(uid)
        ? ({ kind: "failed", timedOut: false, detail: `connect to ${uid}: refused` } as const)
        : ({ kind: "open", connection: fakeConnection(owner, uid, tries) } as const);
    const pool = new EndpointPool(
      {
        connectTimeoutMs: given.connectTimeoutMs ?? 1000,
        idleTimeoutMs: 0,
        maxRequestsPerConnection: 0,
        requestsAtOnce: 1,
      },
      { clock, dial, limits, onInternalError },
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
  let turn = 0;
  const cluster: UpstreamCluster = {
    config: { ...CLUSTER, ...given.cluster },
    limits,
    choose(_context, tried) {
      given.onChoose?.();
      const fresh = endpoints.filter(({ uid }) => !tried.includes(uid));
      const from = fresh.length > 0 ? fresh : endpoints;
      const endpoint = from[turn++ % Math.max(1, from.length)];
      return endpoint === undefined ? { kind: "none" } : { kind: "endpoint", endpoint, setCookie: undefined };
    },
    report: ({ uid }, outcome) => void outcomes.push({ uid, ...outcome }),
  };
  const heldBytes = new HeldBytes(given.maxHeldBytes ?? 2 * 1024 * 1024);
  const proxy = createHttpProxy({
    clock,
    random: () => 0.5,
    heldBytes,
    requestId: () => "the-request-id",
    identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "waypoint" },
    onInternalError,
  });
  return {
    tries,
    outcomes,
    records,
    errors,
    limits,
    heldBytes,
    endpoints,
    refusing,
    send(request = {}, hasBody = false) {
      const exchange = new FakeExchange(request, hasBody);
      const site: HttpSite = {
        service: CLUSTER.service,
        filters: given.filters ?? [],
        routes: given.routes && compileRoutes(given.routes),
        defaultCluster: cluster,
        cluster: (name) => (name === CLUSTER.name ? cluster : undefined),
        defaultRetry: { ...RETRY, ...given.retry },
        pathNormalization: "base",
        forwardClientIdentity: true,
        observer: { onComplete: (record) => void records.push(record) },
        tracer: given.tracer,
      };
      proxy.serve(exchange, CONNECTION, site, () => site);
      return exchange;
    },
    retire() {
      for (const { poolFor } of endpoints) poolFor("HTTP/1.1").retire();
    },
    async settle() {
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    },
  };
}

const CONNECTION = {
  caller: {
    ip: ip("10.0.1.1") as Ip,
    port: 40_000,
    identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "productpage" },
    workload: undefined,
    labels: {},
  },
  destination: { ip: ip("10.96.0.1"), port: 80 },
  serverName: undefined,
};

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
