/** One question to a service of the mesh's own, such as an external authorizer: small request, small answer, within a time limit. */

import type { HeaderFields, RequestHead, ResponseHead } from "@meltemi/http";
import { type Clock, describeError, type Timer } from "@meltemi/runtime";
import type { Cancellation, RequestContext } from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import { Attempt, type AttemptFailure, type AttemptOwner } from "./attempt.ts";

export interface ServiceCall {
  readonly cluster: UpstreamCluster;
  /** On whose behalf; load balancers look at it. */
  readonly context: RequestContext;
  readonly head: RequestHead;
  /** Undefined: a request without body. */
  readonly body: Uint8Array | undefined;
  /** For everything, tries included. */
  readonly timeoutMs: number;
}

export type ServiceAnswer =
  | {
      readonly kind: "answer";
      readonly head: ResponseHead;
      readonly body: Uint8Array;
      readonly trailers: HeaderFields | undefined;
    }
  /** No whole answer; `why` is for the log. */
  | { readonly kind: "failed"; readonly why: string };

/** Verdicts are short; pages of refusal may have a logo. */
const MAX_ANSWER_BYTES: number = 1024 * 1024;
/** A second one only when the first certainly was not processed, or met a connection that its peer had just given up. */
const MAX_TRIES = 2;

/** Never rejects. Ends early, as failed, when `cancellation` is aborted. */
export function callService(
  call: ServiceCall,
  deps: { readonly clock: Clock; readonly cancellation: Cancellation },
): Promise<ServiceAnswer> {
  return new Promise((resolve) => new Call(call, deps.clock, resolve).start(deps.cancellation.signal));
}

class Call implements AttemptOwner {
  readonly #call: ServiceCall;
  readonly #clock: Clock;
  readonly #resolve: (answer: ServiceAnswer) => void;
  readonly #tried: string[] = [];
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #head: ResponseHead | undefined;
  #attempt: Attempt | undefined;
  #deadline: Timer | undefined;
  #stopListening: (() => void) | undefined;
  #over = false;

  constructor(call: ServiceCall, clock: Clock, resolve: (answer: ServiceAnswer) => void) {
    this.#call = call;
    this.#clock = clock;
    this.#resolve = resolve;
  }

  start(signal: AbortSignal): void {
    const { cluster, timeoutMs } = this.#call;
    if (signal.aborted || !cluster.limits.takeRequest()) {
      this.#over = true;
      this.#resolve({ kind: "failed", why: signal.aborted ? "cancelled" : "too many requests at once" });
      return;
    }
    const onAbort = (): void => this.#giveUp("cancelled");
    signal.addEventListener("abort", onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener("abort", onAbort);
    this.#deadline = this.#clock.after(timeoutMs, () => this.#giveUp(`no answer within ${timeoutMs} ms`));
    this.#try();
  }

  onAttemptSending(attempt: Attempt): void {
    const { body } = this.#call;
    if (body === undefined) return;
    attempt.write(body, false);
    attempt.end(undefined);
  }

  onAttemptInformational(): void {}

  onAttemptResponse(attempt: Attempt, head: ResponseHead, ended: boolean): void {
    this.#call.cluster.report(attempt.endpoint, { kind: "status", code: head.status });
    this.#head = head;
    if (ended) this.onAttemptEnd(attempt, undefined);
  }

  onAttemptData(chunk: Uint8Array, lent: boolean): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) this.#giveUp(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    else this.#chunks.push(lent ? Uint8Array.prototype.slice.call(chunk) : chunk);
  }

  onAttemptEnd(_attempt: Attempt, trailers: HeaderFields | undefined): void {
    const head = this.#head;
    if (head !== undefined)
      this.#finish({ kind: "answer", head, body: Buffer.concat(this.#chunks), trailers });
  }

  onAttemptWritable(): void {}

  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    const { cluster } = this.#call;
    if (failure.kind !== "overflow") {
      const cause = failure.kind === "connectFailed" ? "connectFailed" : "reset";
      cluster.report(attempt.endpoint, { kind: "localOrigin", cause });
    }
    if (this.#head === undefined && isUnprocessed(failure) && this.#tried.length < MAX_TRIES) this.#try();
    else this.#finish({ kind: "failed", why: describe(failure) });
  }

  /** What breaks in here is this program's: the call has failed all the same, and leaves nothing behind. */
  #try(): void {
    try {
      this.#tryNext();
    } catch (error) {
      this.#giveUp(describeError(error));
    }
  }

  #tryNext(): void {
    const { cluster, context, head, body } = this.#call;
    const choice = cluster.choose(context, this.#tried, false);
    if (choice.kind === "none") {
      this.#finish({ kind: "failed", why: `no healthy endpoint of ${cluster.config.name}` });
      return;
    }
    this.#tried.push(choice.endpoint.uid);
    const nowMs = this.#clock.monotonicMs();
    this.#attempt = new Attempt(this, cluster, choice.endpoint, head, body === undefined, nowMs);
    this.#attempt.start();
  }

  #giveUp(why: string): void {
    if (this.#over) return;
    this.#attempt?.abort("timeout");
    this.#finish({ kind: "failed", why });
  }

  #finish(answer: ServiceAnswer): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline?.cancel();
    this.#stopListening?.();
    this.#call.cluster.limits.releaseRequest();
    this.#resolve(answer);
  }
}

function isUnprocessed(failure: AttemptFailure): boolean {
  if (failure.kind !== "fault") return failure.kind === "connectFailed";
  const { fault } = failure;
  return fault.kind === "refused" || (fault.kind === "reset" && fault.stale === true);
}

function describe(failure: AttemptFailure): string {
  switch (failure.kind) {
    case "connectFailed":
      return failure.failure.detail;
    case "overflow":
      return "too many requests wait for a connection";
    case "fault":
      return failure.fault.detail;
  }
}
