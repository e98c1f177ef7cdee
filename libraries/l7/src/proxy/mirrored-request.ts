/** A copy of a request, sent once the original has passed whole; its answer is read and forgotten. */

import type { Clock, Timer } from "@meltemi/runtime";
import type { RequestContext } from "../request-context.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { ForwardingPlan } from "./forwarding-plan.ts";
import type { HeldBody } from "./held-body.ts";

/** A mirror that never answers must not hold a connection for ever. */
const MIRROR_TIMEOUT_MS = 60_000;

/** `held`: undefined for a request without body. A body that could not be held is not mirrored. */
export function mirrorRequest(
  plan: ForwardingPlan,
  held: HeldBody | undefined,
  context: RequestContext,
  clock: Clock,
): void {
  if (held !== undefined && !held.isComplete) return;
  const { cluster } = plan;
  const choice = cluster.choose(context, [], false);
  if (choice.kind === "none" || !cluster.limits.takeRequest()) return;
  const request = new MirroredRequest(plan, held);
  const attempt = new Attempt(
    request,
    cluster,
    choice.endpoint,
    plan.head,
    held === undefined,
    clock.monotonicMs(),
  );
  request.deadline = clock.after(plan.timeoutMs ?? MIRROR_TIMEOUT_MS, () => {
    attempt.abort("timeout");
    request.onAttemptEnd();
  });
  attempt.start();
}

class MirroredRequest implements AttemptOwner {
  readonly #plan: ForwardingPlan;
  readonly #held: HeldBody | undefined;
  deadline: Timer | undefined;
  #over = false;

  constructor(plan: ForwardingPlan, held: HeldBody | undefined) {
    this.#plan = plan;
    this.#held = held;
    held?.share();
  }

  onAttemptSending(attempt: Attempt): void {
    if (this.#held === undefined) return;
    for (const chunk of this.#held.chunks) attempt.write(chunk, false);
    attempt.end(this.#held.trailers);
  }

  onAttemptInformational(): void {}

  onAttemptResponse(_attempt: Attempt, _head: unknown, ended: boolean): void {
    if (ended) this.onAttemptEnd();
  }

  onAttemptData(): void {}

  onAttemptEnd(): void {
    if (this.#over) return;
    this.#over = true;
    this.deadline?.cancel();
    this.#held?.release();
    this.#plan.cluster.limits.releaseRequest();
  }

  onAttemptWritable(): void {}

  onAttemptFailed(): void {
    this.onAttemptEnd();
  }
}
