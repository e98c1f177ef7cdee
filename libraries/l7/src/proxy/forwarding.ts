/** Carries one request to a cluster and its answer back: tries, time limits, bodies in both directions with back-pressure. */

import type { BodyReceiver, HeaderFields, HttpFault, ResponseHead, ServerExchange } from "@meltemi/http";
import type { LocalReply, RequestContext } from "../request-context.ts";
import type { AttemptResult } from "../retry/decide-retry.ts";
import type { UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { Attempt, type AttemptFailure, type AttemptOwner, SWITCHING_PROTOCOLS } from "./attempt.ts";
import type { ForwardingDeps, ForwardingOwner, ForwardingPlan } from "./forwarding-plan.ts";
import { HeldBody } from "./held-body.ts";
import {
  failureDetail,
  HALF_OPEN_TIMEOUT,
  LOST_BODY,
  NO_HEALTHY_UPSTREAM,
  OVERFLOW,
  PER_TRY_TIMEOUT,
  ROUTE_TIMEOUT,
  upstreamFailure,
} from "./replies.ts";
import { CONTINUE_WAIT_MS, HalfOpenWatch, TimeLimits } from "./time-limits.ts";
import { failureResult, responseResult, Tries } from "./tries.ts";
import { addKey } from "./websocket-handshake.ts";

const CONTINUE = 100;

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
  responseBegan = false;
  #responseEnded = false;
  /** An upgrade was accepted: both directions are bytes that end on their own. */
  #tunnel: HalfOpenWatch | undefined;
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
    this.#limits = new TimeLimits(deps.clock, owner);
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
    else if (this.#exchange.request.upgrade !== undefined) {
      addKey(this.#plan.head, this.#deps.random);
      this.#startRouteTime();
    }
    if (!this.#over) this.#try();
  }

  /** Lets go of everything; the owner hears nothing more. */
  cancel(): void {
    if (this.#over) return;
    this.#finish();
    this.#attempt?.abort("internal-error");
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.#over) return;
    this.#owner.onRequestData(chunk);
    this.#tunnel?.moved();
    this.#held?.hold(chunk);
    const attempt = this.#attempt;
    const isSending = attempt?.isSending === true;
    if (!isSending || !attempt.write(chunk, lent)) this.#exchange.pause();
    // Between two tries it would be missing from the next.
    if (!isSending && this.#held?.isComplete !== true)
      this.#fail(LOST_BODY, "a body between two tries was too long to be kept");
  }

  onEnd(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    this.#requestEnded = true;
    this.#trailers = trailers;
    if (this.#held !== undefined) this.#held.trailers = trailers;
    if (this.#tunnel !== undefined) this.#tunnel.start();
    // The time of an upgrade began with its head: its body is none of the request's.
    else if (this.#exchange.request.upgrade === undefined) this.#startRouteTime();
    const attempt = this.#attempt;
    if (attempt?.isSending === true && this.#exchange.requestEnded === false) attempt.end(trailers);
    this.#owner.onRequestEnd(this.#held);
    if (attempt !== undefined && this.#responseEnded) this.#complete(attempt, undefined);
  }

  #startRouteTime(): void {
    const { timeoutMs } = this.#plan;
    if (timeoutMs !== undefined) this.#limits.start("route", timeoutMs, () => this.#timedOut(ROUTE_TIMEOUT));
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
    this.#limits.stop("try");
    this.#plan.cluster.report(attempt.endpoint, { kind: "status", code: head.status });
    const result = responseResult(head, ended);
    if (this.#mayRetry(result)) {
      if (!ended) attempt.abort("cancelled");
      else if (!this.#requestEnded) attempt.abandonRequest();
      this.#retry(attempt);
      return;
    }
    this.#commit(head.status);
    this.upstreamServiceTimeMs = this.#deps.clock.monotonicMs() - attempt.startedMs;
    this.#owner.onResponseHead(head);
    this.#exchange.respond(head, ended);
    if (ended) this.#complete(attempt, undefined);
    // A client that waited for 100 has its answer; from now on it is heard when it can take more, and when it leaves.
    else if (!this.#receiving) this.#receive();
  }

  onAttemptData(chunk: Uint8Array, lent: boolean): void {
    this.#tunnel?.moved();
    this.#owner.onResponseData(chunk);
    if (!this.#exchange.write(chunk, lent)) this.#attempt?.pause();
  }

  onAttemptEnd(attempt: Attempt, trailers: HeaderFields | undefined): void {
    this.#responseEnded = true;
    this.#exchange.end(trailers);
    if (this.#tunnel !== undefined && !this.#requestEnded) this.#tunnel.start();
    else this.#complete(attempt, trailers);
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
      // Between two tries there is nobody to give it to; the next one waits again.
      const isWanted = !this.#over && !this.responseBegan && !this.#receiving;
      if (isWanted && this.#attempt?.isSending === true) this.#receive();
    });
  }

  #try(): void {
    const { cluster, head, retry } = this.#plan;
    const choice = cluster.choose(this.#context, this.#tries.avoid, retry.otherLocalities);
    if (choice.kind === "none") {
      this.#fail(NO_HEALTHY_UPSTREAM, "");
      return;
    }
    this.endpoint = choice.endpoint;
    this.setCookie = choice.setCookie;
    this.#tries.count++;
    if (retry.retries > 0) head.headers.set("x-envoy-attempt-count", String(this.attempts));
    const nowMs = this.#deps.clock.monotonicMs();
    const attempt = new Attempt(this, cluster, choice.endpoint, head, this.#exchange.requestEnded, nowMs);
    this.#attempt = attempt;
    const perTryMs = retry.perTryTimeoutMs;
    if (perTryMs !== undefined) this.#limits.start("try", perTryMs, () => this.#tryTimedOut(attempt));
    attempt.start();
    if (this.#over || this.#receiving || attempt.isSending || this.#exchange.request.expectsContinue) return;
    // While it waits for a connection its client is held back, and heard when it leaves.
    this.#exchange.pause();
    this.#receive();
  }

  #mayRetry(result: AttemptResult): boolean {
    if (this.responseBegan || (this.#held !== undefined && !this.#held.isComplete)) return false;
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
    if (this.#over || this.responseBegan) return;
    attempt.abort("timeout");
    this.#plan.cluster.report(attempt.endpoint, { kind: "localOrigin", cause: "timeout" });
    if (this.#mayRetry({ kind: "perTryTimeout" })) this.#retry(attempt);
    else this.#fail(PER_TRY_TIMEOUT, "");
  }

  #timedOut(reply: LocalReply): void {
    if (this.#over) return;
    const attempt = this.#attempt;
    attempt?.abort("timeout");
    if (attempt !== undefined && !this.responseBegan)
      this.#plan.cluster.report(attempt.endpoint, { kind: "localOrigin", cause: "timeout" });
    this.#fail(reply, "");
  }

  /** From here on the answer is the client's: no other try. */
  #commit(status: number): void {
    this.responseBegan = true;
    if (!this.#plan.holdBody) this.#letGo();
    if (status !== SWITCHING_PROTOCOLS) return;
    this.#limits.stop("route");
    this.#tunnel = new HalfOpenWatch(this.#limits, () => this.#timedOut(HALF_OPEN_TIMEOUT));
  }

  #letGo(): void {
    this.#held?.release();
    this.#held = undefined;
  }

  #fail(reply: LocalReply, detail: string): void {
    const began = this.responseBegan;
    this.#finish();
    if (began) this.#exchange.abort("upstream-failed");
    this.#owner.onForwardFailed(reply, detail, began);
  }

  #finish(): void {
    this.#over = true;
    this.#limits.stopAll();
    this.#letGo();
    this.#plan.cluster.limits.releaseRequest();
    this.#tries.release();
  }
}
