/** CUSTOM policies: asks the external authorizers whose policies match, one after another; the first that refuses ends it (reference: l7-and-cli §2.1). */

import type { RequestPolicies } from "@meltemi/authorization";
import type { ExternalAuthorizer } from "@meltemi/model/l7";
import type { AskedCounters, FilterMeter } from "../filters/filter-meter.ts";
import { policyFacts } from "../filters/policy-facts.ts";
import { denied } from "../filters/policy-filter.ts";
import {
  type BodyStart,
  CONTINUE,
  type FilterRun,
  type FilterVerdict,
  type RequestContext,
  type RequestFilter,
} from "../request-context.ts";
import { type AskDeps, type AskRequest, requestQuestions } from "./ask-authorizer.ts";
import { countVerdict } from "./count-verdict.ts";
import { type AuthorizerVerdict, applyAllowance } from "./verdict.ts";

export interface AuthorizationFilterDeps extends AskDeps {
  readonly meter: FilterMeter;
}

interface Provider {
  readonly authorizer: ExternalAuthorizer;
  readonly ask: AskRequest;
  readonly counters: AskedCounters;
}

/** Bodies are held in memory while they are judged, whatever a configuration asks for. */
const MAX_BODY_BYTES: number = 1024 * 1024;

export class AuthorizationFilter implements RequestFilter {
  readonly name = "ext_authz";
  readonly #policies: RequestPolicies;
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #meter: FilterMeter;

  constructor(
    policies: RequestPolicies,
    authorizers: readonly ExternalAuthorizer[],
    deps: AuthorizationFilterDeps,
  ) {
    this.#policies = policies;
    this.#meter = deps.meter;
    this.#providers = new Map(
      authorizers.map((authorizer) => {
        const counters = deps.meter.authorizer("http", authorizer.name);
        return [authorizer.name, { authorizer, ask: requestQuestions(authorizer, deps), counters }] as const;
      }),
    );
  }

  onRequest(context: RequestContext, run: FilterRun): FilterVerdict | Promise<FilterVerdict> {
    const asked = this.#policies.providersFor(policyFacts(this.#policies, context));
    return asked.size === 0 ? CONTINUE : this.#askAll(asked, context, run);
  }

  async #askAll(
    asked: ReadonlyMap<string, string>,
    context: RequestContext,
    run: FilterRun,
  ): Promise<FilterVerdict> {
    const providers: Provider[] = [];
    for (const [name, rule] of asked) {
      const found = this.#providers.get(name);
      if (found === undefined) return denied(`${rule}-deny-due-to-bad-CUSTOM-action`);
      providers.push(found);
    }
    const maxBytes = Math.max(0, ...providers.map(({ authorizer }) => bodyBytes(authorizer)));
    const body = maxBytes > 0 ? await run.readBody(maxBytes) : undefined;
    for (const { authorizer, ask, counters } of providers) {
      const sent = body && bodyFor(authorizer, body);
      if (sent === "tooLarge") return TOO_LARGE;
      const verdict = await ask(context, sent, run);
      // Of a client that went away nothing is to be said.
      if (!run.signal.aborted) countVerdict(authorizer, verdict, counters, this.#meter);
      const ended = conclude(authorizer, verdict, context);
      if (ended !== undefined) return ended;
    }
    return CONTINUE;
  }
}

const TOO_LARGE: FilterVerdict = {
  kind: "reply",
  reply: {
    status: 413,
    body: "Payload Too Large",
    headers: [],
    flag: "",
    details: "request_payload_too_large",
  },
};

function bodyBytes({ includeBody }: ExternalAuthorizer): number {
  return Math.min(includeBody?.maxBytes ?? 0, MAX_BODY_BYTES);
}

function bodyFor(authorizer: ExternalAuthorizer, body: BodyStart): BodyStart | undefined | "tooLarge" {
  const { includeBody } = authorizer;
  if (includeBody === undefined) return undefined;
  const bytes = body.bytes.subarray(0, bodyBytes(authorizer));
  const isWhole = body.isWhole && bytes.length === body.bytes.length;
  return isWhole || includeBody.allowPartial ? { bytes, isWhole } : "tooLarge";
}

/** Undefined: the next is asked. */
function conclude(
  { failOpen, statusOnError }: ExternalAuthorizer,
  verdict: AuthorizerVerdict,
  context: RequestContext,
): FilterVerdict | undefined {
  switch (verdict.kind) {
    case "allow":
      applyAllowance(context, verdict);
      return undefined;
    case "deny":
      return { kind: "reply", reply: verdict.reply };
    case "error":
      if (failOpen) return undefined;
      return {
        kind: "reply",
        reply: { status: statusOnError, body: "", headers: [], flag: "UAEX", details: "ext_authz_error" },
        upstreamFailure: verdict.why,
      };
  }
}
