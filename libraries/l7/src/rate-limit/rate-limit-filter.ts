/** Enforces the limits of RateLimitPolicies: buckets of this process, then what a global service says. */

import type { PolicyFacts } from "@meltemi/authorization";
import type { RateLimit } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { AskedCounters, FilterMeter, LocalLimitCounters } from "../filters/filter-meter.ts";
import { callGrpc } from "../proxy/call-grpc.ts";
import {
  CONTINUE,
  type FilterRun,
  type FilterVerdict,
  type RequestContext,
  type RequestFilter,
} from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import { type DescriptorEntry, descriptorOf, descriptorText } from "./descriptor.ts";
import {
  type GlobalVerdict,
  globalQuestion,
  globalVerdict,
  overGlobalLimit,
  SHOULD_RATE_LIMIT_PATH,
  unknownGlobalLimit,
} from "./global-limit.ts";
import type { BucketOptions, TokenBuckets } from "./token-buckets.ts";

export interface RateLimitFilterDeps {
  readonly clock: Clock;
  readonly meter: FilterMeter;
  readonly bucketsOf: (limit: RateLimit, options: BucketOptions) => TokenBuckets;
  /** Which requests a limit is of. */
  readonly scopeOf: (limit: RateLimit) => (facts: PolicyFacts) => boolean;
  readonly factsOf: (context: RequestContext) => PolicyFacts;
  readonly cluster: (name: string) => UpstreamCluster | undefined;
}

/** A limit of nothing at all never has another token; a day is long enough to say so. */
const MAX_RESET_MS: number = 24 * 3600 * 1000;

type LocalSettings = Extract<RateLimit["limit"], { kind: "local" }>;
type GlobalSettings = Extract<RateLimit["limit"], { kind: "global" }>;

interface Scoped {
  readonly keys: RateLimit["keys"];
  /** Undefined: every request. */
  readonly applies: ((facts: PolicyFacts) => boolean) | undefined;
}

interface LocalLimit extends Scoped {
  readonly settings: LocalSettings;
  readonly buckets: TokenBuckets;
  readonly counters: LocalLimitCounters;
}

interface GlobalLimit extends Scoped {
  readonly counters: AskedCounters;
}

/** Limits that one question can ask for. */
interface GlobalLimits {
  readonly settings: GlobalSettings;
  readonly limits: GlobalLimit[];
}

interface Question {
  readonly settings: GlobalSettings;
  readonly descriptors: readonly (readonly DescriptorEntry[])[];
  /** Of the limits that the descriptors are of. */
  readonly counters: readonly AskedCounters[];
}

export class RateLimitFilter implements RequestFilter {
  readonly name = "ratelimit";
  readonly #deps: RateLimitFilterDeps;
  readonly #local: LocalLimit[] = [];
  readonly #global = new Map<string, GlobalLimits>();

  constructor(limits: readonly RateLimit[], deps: RateLimitFilterDeps) {
    this.#deps = deps;
    for (const one of limits) this.#add(one);
  }

  onRequest(context: RequestContext, run: FilterRun): FilterVerdict | Promise<FilterVerdict> {
    const facts = this.#deps.factsOf(context);
    for (const local of this.#local) {
      const verdict = this.#takeLocal(local, context, facts);
      if (verdict !== CONTINUE) return verdict;
    }
    if (this.#global.size === 0) return CONTINUE;
    const questions: Question[] = [];
    for (const asked of this.#global.values()) {
      const question = questionOf(asked, context, facts);
      if (question !== undefined) questions.push(question);
    }
    return questions.length === 0 ? CONTINUE : this.#askAll(questions, context, run);
  }

  #add(one: RateLimit): void {
    const { keys, limit, operations } = one;
    const applies = operations.length === 0 ? undefined : this.#deps.scopeOf(one);
    const policy = `${one.namespace}/${one.name}`;
    const { meter, bucketsOf } = this.#deps;
    if (limit.kind === "local") {
      const buckets = bucketsOf(one, limit);
      this.#local.push({ keys, applies, settings: limit, buckets, counters: meter.localLimit(policy) });
      return;
    }
    const service = JSON.stringify(limit);
    const known = this.#global.get(service) ?? { settings: limit, limits: [] };
    known.limits.push({ keys, applies, counters: meter.globalLimit(policy) });
    this.#global.set(service, known);
  }

  #takeLocal(limit: LocalLimit, context: RequestContext, facts: PolicyFacts): FilterVerdict {
    const entries = appliesTo(limit, facts) ? descriptorOf(limit.keys, context) : undefined;
    if (entries === undefined) return CONTINUE;
    const taken = limit.buckets.take(descriptorText(entries), this.#deps.clock.monotonicMs());
    if (taken.allowed) {
      limit.counters.ok.inc();
      return CONTINUE;
    }
    limit.counters.rateLimited.inc();
    return overLocalLimit(limit.settings.burst, taken.waitMs);
  }

  async #askAll(
    questions: readonly Question[],
    context: RequestContext,
    run: FilterRun,
  ): Promise<FilterVerdict> {
    for (const question of questions) {
      const verdict = await this.#ask(question, context, run);
      if (verdict !== CONTINUE) return verdict;
    }
    return CONTINUE;
  }

  async #ask(question: Question, context: RequestContext, cancellation: FilterRun): Promise<FilterVerdict> {
    const { domain, cluster: name, timeoutMs, failOpen } = question.settings;
    const cluster = this.#deps.cluster(name);
    const message = globalQuestion(domain, question.descriptors);
    const call = { context, path: SHOULD_RATE_LIMIT_PATH, message, timeoutMs };
    const answer =
      cluster === undefined
        ? ({ kind: "failed", why: `no cluster ${name}` } as const)
        : await callGrpc({ ...call, cluster }, { clock: this.#deps.clock, cancellation });
    const verdict = globalVerdict(answer);
    // Of a client that went away nothing is to be said.
    if (!cancellation.signal.aborted) this.#count(question, verdict);
    switch (verdict.kind) {
      case "over":
        return overGlobalLimit(verdict);
      case "error":
        return failOpen ? CONTINUE : unknownGlobalLimit(verdict.why);
      case "within": {
        for (const [field, value] of verdict.requestFields) context.request.headers.set(field, value);
        if (verdict.responseFields.length > 0)
          context.responseFields = [...(context.responseFields ?? []), ...verdict.responseFields];
        return CONTINUE;
      }
    }
  }

  #count({ settings, counters }: Question, verdict: GlobalVerdict): void {
    const passes = verdict.kind === "error" && settings.failOpen;
    for (const [index, of] of counters.entries()) {
      if (verdict.kind === "error") of.error.inc();
      else if (verdict.kind === "over" && verdict.isOver(index)) of.denied.inc();
      else of.ok.inc();
      if (passes) of.failureModeAllowed.inc();
    }
    if (passes) {
      const { domain: name } = settings;
      this.#deps.meter.onUnjudgedPass({ filter: "ratelimit", name, why: verdict.why });
    }
  }
}

/** Undefined: none of the limits is of this request. */
function questionOf(
  { settings, limits }: GlobalLimits,
  context: RequestContext,
  facts: PolicyFacts,
): Question | undefined {
  const descriptors: (readonly DescriptorEntry[])[] = [];
  const counters: AskedCounters[] = [];
  for (const limit of limits) {
    const entries = appliesTo(limit, facts) ? descriptorOf(limit.keys, context) : undefined;
    if (entries === undefined) continue;
    descriptors.push(entries);
    counters.push(limit.counters);
  }
  return descriptors.length === 0 ? undefined : { settings, descriptors, counters };
}

function appliesTo({ applies }: Scoped, facts: PolicyFacts): boolean {
  return applies === undefined || applies(facts);
}

/** With the fields of the IETF draft that Envoy follows (draft-polli-ratelimit-headers-03). */
function overLocalLimit(burst: number, waitMs: number): FilterVerdict {
  return {
    kind: "reply",
    reply: {
      status: 429,
      body: "local_rate_limited",
      headers: [
        ["x-envoy-ratelimited", "true"],
        ["x-ratelimit-limit", String(burst)],
        ["x-ratelimit-remaining", "0"],
        ["x-ratelimit-reset", String(Math.ceil(Math.min(waitMs, MAX_RESET_MS) / 1000))],
      ],
      flag: "RL",
      details: "local_rate_limited",
    },
  };
}
