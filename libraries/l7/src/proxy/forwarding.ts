/** Carries one request to a cluster and its answer back: tries, time limits, bodies in both directions with back-pressure. */

import type {
  BodyReceiver,
  HeaderFields,
  HttpFault,
  RequestHead,
  ResponseHead,
  ServerExchange,
} from "@meltemi/http";
import type { RetryPolicy } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { LocalReply, RequestContext } from "../request-context.ts";
import type { AttemptResult } from "../retry/decide-retry.ts";
import type { UpstreamCluster, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { Attempt, type AttemptFailure, type AttemptOwner } from "./attempt.ts";
import { HeldBody, type HeldBytes } from "./held-body.ts";
import {
  failureDetail,
  NO_HEALTHY_UPSTREAM,
  OVERFLOW,
  PER_TRY_TIMEOUT,
  ROUTE_TIMEOUT,
  upstreamFailure,
} from "./replies.ts";
import { TimeLimits } from "./time-limits.ts";
import { failureResult, responseResult, Tries } from "./tries.ts";

export interface ForwardingPlan {
  readonly cluster: UpstreamCluster;
  /** As it goes out; belongs to the forwarding. */
  readonly head: RequestHead;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | undefined;
  /** The body is kept although there may be no retry: for mirrors. */
  readonly holdBody: boolean;
}

export interface ForwardingDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly heldBytes: HeldBytes;
}

/** Hears what becomes of it. After `onForwarded`, `onForwardFailed` or `onClientGone`, nothing further. */
export interface ForwardingOwner {
  onRequestData(chunk: Uint8Array): void;
  /** The whole request has passed; what was held of it is there to be copied. */
  onRequestEnd(held: HeldBody | undefined): void;
  /** Change the head, then it is sent. */
  onResponseHead(head: ResponseHead): void;
  onResponseData(chunk: Uint8Array): void;
  onForwarded(trailers: HeaderFields | undefined): void;
  /** Answer the client with this, or, once the response began, only record it: the client's stream is aborted already. */
  onForwardFailed(reply: LocalReply, detail: string, responseBegan: boolean): void;
  onClientGone(fault: HttpFault): void;
}

const CONTINUE = 100;
/** Servers that never say `100 Continue` wait for the body; curl waits as long for them. */
const CONTINUE_WAIT_MS = 1000;

export class Forwarding implements AttemptOwner, BodyReceiver {
  readonly #owner: ForwardingOwner;
  readonly #exchange: ServerExchange;
  readonly #context: RequestContext;
  readonly #plan: ForwardingPlan;
  readonly #deps: ForwardingDeps;
  #held: HeldBody | undefined;
  #attempt: Attempt | undefined;
  readonly #tries: Tries;
  #receiving = false;
  #requestEnded: boolean;
  #trailers: HeaderFields | undefined;
  #responseBegan = false;
  #over = false;
  readonly #limits: TimeLimits;
  /** Of the try that was answered, or the last. */
  endpoint: UpstreamEndpoint | undefined;
  upstreamServiceTimeMs: number | undefined;
  setCookie: string | undefined;

  constructor(
    owner: ForwardingOwner,
    exchange: ServerExchange,
    context: RequestContext,
    plan: ForwardingPlan,
    deps: ForwardingDeps,
  ) {
    this.#owner = owner;
    this.#exchange = exchange;
    this.#context = context;
    this.#plan = plan;
    this.#deps = deps;
    this.#requestEnded = exchange.requestEnded;
    this.#limits = new TimeLimits(deps.clock);
    this.#tries = new Tries(plan.retry, plan.cluster);
    if (!this.#requestEnded && (plan.retry.retries > 0 || plan.holdBody))
      this.#held = new HeldBody(deps.heldBytes);
  }

  get attempts(): number {
    return this.#tries.count;
  }

  start(): void {
    if (!this.#plan.cluster.limits.takeRequest()) {
      this.#over = true;
      this.#owner.onForwardFailed(OVERFLOW, "", false);
      return;
    }
    // A request without body is listened to at once: its end starts the clock, and its client may go away.
    if (this.#requestEnded) this.#receive();
    if (!this.#over) this.#try();
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.#over) return;
    this.#owner.onRequestData(chunk);
    this.#held?.hold(chunk);
    if (this.#attempt?.isSending !== true || !this.#attempt.write(chunk, lent)) this.#exchange.pause();
  }

  onEnd(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    this.#requestEnded = true;
    this.#trailers = trailers;
    if (this.#held !== undefined) this.#held.trailers = trailers;
    const { timeoutMs } = this.#plan;
    if (timeoutMs !== undefined) this.#limits.start("route", timeoutMs, () => this.#timedOut(ROUTE_TIMEOUT));
    if (this.#attempt?.isSending === true && this.#exchange.requestEnded === false)
      this.#attempt.end(trailers);
    this.#owner.onRequestEnd(this.#held);
  }

  onWritable(): void {
    this.#attempt?.resume();
  }

  onFault(fault: HttpFault): void {
    if (this.#over) return;
    this.#finish();
    this.#attempt?.abort("cancelled");
    this.#owner.onClientGone(fault);
  }

  onAttemptSending(attempt: Attempt): void {
    if (this.#exchange.requestEnded) return;
    const held = this.#held;
    // What has passed already goes again; the first try has nothing behind it.
    for (const chunk of held?.chunks ?? []) attempt.write(chunk, false);
    if (this.#requestEnded) attempt.end(this.#trailers);
    else if (this.#receiving) this.#exchange.resume();
    else if (this.#exchange.request.expectsContinue) this.#awaitContinue();
    else this.#receive();
  }

  onAttemptInformational(status: number, headers: HeaderFields): void {
    if (status !== CONTINUE) this.#exchange.inform(status, headers);
    else if (!this.#receiving) this.#receive();
  }

  onAttemptResponse(attempt: Attempt, head: ResponseHead, ended: boolean): void {
    const { cluster } = this.#plan;
    this.#limits.stop("try");
    cluster.report(attempt.endpoint, { kind: "status", code: head.status });
    const result = responseResult(head, ended);
    if (this.#mayRetry(result)) {
      if (!ended) attempt.abort("cancelled");
      this.#retry(attempt);
      return;
    }
    this.#commit();
    this.upstreamServiceTimeMs = this.#deps.clock.monotonicMs() - attempt.startedMs;
    this.#owner.onResponseHead(head);
    this.#exchange.respond(head, ended);
    if (ended) this.#complete(attempt, undefined);
  }

  onAttemptData(chunk: Uint8Array, lent: boolean): void {
    this.#owner.onResponseData(chunk);
    if (!this.#exchange.write(chunk, lent)) this.#attempt?.pause();
  }

  onAttemptEnd(attempt: Attempt, trailers: HeaderFields | undefined): void {
    this.#exchange.end(trailers);
    this.#complete(attempt, trailers);
  }

  onAttemptWritable(): void {
    this.#exchange.resume();
  }

  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    if (this.#over) return;
    this.#limits.stop("try");
    if (failure.kind !== "overflow")
      this.#plan.cluster.report(attempt.endpoint, {
        kind: "localOrigin",
        cause: failure.kind === "connectFailed" ? "connectFailed" : "reset",
      });
    const result = failureResult(failure, this.#plan.head.method);
    if (result !== undefined && this.#mayRetry(result)) this.#retry(attempt);
    else this.#fail(upstreamFailure(failure), failureDetail(failure));
  }

  #complete(attempt: Attempt, trailers: HeaderFields | undefined): void {
    this.#finish();
    // An answer before the end of the question: the rest of the question has nowhere to go.
    if (!this.#requestEnded) attempt.abandonRequest();
    this.#owner.onForwarded(trailers);
  }

  #receive(): void {
    this.#receiving = true;
    this.#exchange.receive(this);
  }

  /** The client sends its body when we receive it: which is when the service says so, or says nothing. */
  #awaitContinue(): void {
    this.#limits.start("continue", CONTINUE_WAIT_MS, () => {
      if (!this.#over && !this.#responseBegan && !this.#receiving) this.#receive();
    });
  }

  #try(): void {
    const { cluster, head, retry } = this.#plan;
    const choice = cluster.choose(this.#context, this.#tries.avoid, retry.otherLocalities);
    if (choice.kind === "none") {
      this.#fail(NO_HEALTHY_UPSTREAM, "");
      return;
    }
    const { endpoint, setCookie } = choice;
    this.endpoint = endpoint;
    this.setCookie = setCookie;
    this.#tries.count++;
    if (retry.retries > 0) head.headers.set("x-envoy-attempt-count", String(this.attempts));
    const { clock } = this.#deps;
    const attempt = new Attempt(
      this,
      cluster,
      endpoint,
      head,
      this.#exchange.requestEnded,
      clock.monotonicMs(),
    );
    this.#attempt = attempt;
    const { perTryTimeoutMs } = retry;
    if (perTryTimeoutMs !== undefined)
      this.#limits.start("try", perTryTimeoutMs, () => this.#tryTimedOut(attempt));
    attempt.start();
  }

  #mayRetry(result: AttemptResult): boolean {
    if (this.#responseBegan || (this.#held !== undefined && !this.#held.isComplete)) return false;
    return this.#tries.mayRetry(result);
  }

  #retry(attempt: Attempt): void {
    if (this.#receiving && !this.#requestEnded) this.#exchange.pause();
    const delayMs = this.#tries.backOff(attempt.endpoint.uid, this.#deps.random());
    this.#limits.start("try", delayMs, () => {
      if (!this.#over) this.#try();
    });
  }

  #tryTimedOut(attempt: Attempt): void {
    if (this.#over || this.#responseBegan) return;
    attempt.abort("timeout");
    this.#plan.cluster.report(attempt.endpoint, { kind: "localOrigin", cause: "timeout" });
    if (this.#mayRetry({ kind: "perTryTimeout" })) this.#retry(attempt);
    else this.#fail(PER_TRY_TIMEOUT, "");
  }

  #timedOut(reply: LocalReply): void {
    if (this.#over) return;
    const attempt = this.#attempt;
    attempt?.abort("timeout");
    if (attempt !== undefined && !this.#responseBegan)
      this.#plan.cluster.report(attempt.endpoint, { kind: "localOrigin", cause: "timeout" });
    this.#fail(reply, "");
  }

  /** From here on the answer is the client's: no other try. */
  #commit(): void {
    this.#responseBegan = true;
    if (!this.#plan.holdBody) this.#held?.abandon();
  }

  #fail(reply: LocalReply, detail: string): void {
    const began = this.#responseBegan;
    this.#finish();
    if (began) this.#exchange.abort("upstream-failed");
    this.#owner.onForwardFailed(reply, detail, began);
  }

  #finish(): void {
    this.#over = true;
    this.#limits.stopAll();
    this.#held?.abandon();
    const { limits } = this.#plan.cluster;
    limits.releaseRequest();
    this.#tries.release();
  }
}
