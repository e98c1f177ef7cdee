/** Enforces the limits of RateLimitPolicies: buckets of this process, then what a global service says. */

import type { PolicyFacts } from "@meltemi/authorization";
import type { RateLimit } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
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
  globalQuestion,
  globalVerdict,
  overGlobalLimit,
  SHOULD_RATE_LIMIT_PATH,
  unknownGlobalLimit,
} from "./global-limit.ts";
import type { BucketOptions, TokenBuckets } from "./token-buckets.ts";

export interface RateLimitFilterDeps {
  readonly clock: Clock;
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
}

/** Limits that one question can ask for. */
interface GlobalLimits {
  readonly settings: GlobalSettings;
  readonly limits: Scoped[];
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
    const questions = [...this.#global.values()].flatMap(({ settings, limits }) => {
      const descriptors = limits.flatMap((limit) => {
        const entries = appliesTo(limit, facts) ? descriptorOf(limit.keys, context) : undefined;
        return entries === undefined ? [] : [entries];
      });
      return descriptors.length === 0 ? [] : [{ settings, descriptors }];
    });
    return questions.length === 0 ? CONTINUE : this.#askAll(questions, context, run);
  }

  #add(one: RateLimit): void {
    const { keys, limit, operations } = one;
    const applies = operations.length === 0 ? undefined : this.#deps.scopeOf(one);
    if (limit.kind === "local") {
      this.#local.push({ keys, applies, settings: limit, buckets: this.#deps.bucketsOf(one, limit) });
      return;
    }
    const service = JSON.stringify(limit);
    const known = this.#global.get(service) ?? { settings: limit, limits: [] };
    known.limits.push({ keys, applies });
    this.#global.set(service, known);
  }

  #takeLocal(limit: LocalLimit, context: RequestContext, facts: PolicyFacts): FilterVerdict {
    const entries = appliesTo(limit, facts) ? descriptorOf(limit.keys, context) : undefined;
    if (entries === undefined) return CONTINUE;
    const taken = limit.buckets.take(descriptorText(entries), this.#deps.clock.monotonicMs());
    return taken.allowed ? CONTINUE : overLocalLimit(limit.settings.burst, taken.waitMs);
  }

  async #askAll(
    questions: readonly {
      readonly settings: GlobalSettings;
      readonly descriptors: readonly (readonly DescriptorEntry[])[];
    }[],
    context: RequestContext,
    run: FilterRun,
  ): Promise<FilterVerdict> {
    for (const { settings, descriptors } of questions) {
      const verdict = await this.#ask(settings, descriptors, context, run);
      if (verdict !== CONTINUE) return verdict;
    }
    return CONTINUE;
  }

  async #ask(
    { domain, cluster: name, timeoutMs, failOpen }: GlobalSettings,
    descriptors: readonly (readonly DescriptorEntry[])[],
    context: RequestContext,
    cancellation: FilterRun,
  ): Promise<FilterVerdict> {
    const cluster = this.#deps.cluster(name);
    const message = globalQuestion(domain, descriptors);
    const call = { context, path: SHOULD_RATE_LIMIT_PATH, message, timeoutMs };
    const answer =
      cluster === undefined
        ? ({ kind: "failed", why: `no cluster ${name}` } as const)
        : await callGrpc({ ...call, cluster }, { clock: this.#deps.clock, cancellation });
    const verdict = globalVerdict(answer);
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
