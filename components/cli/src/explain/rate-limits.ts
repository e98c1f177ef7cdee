/** What the rate limits of a service, or of a waypoint itself, may do to one request. Pure: nothing is counted, and no service is asked. */

import { compileOperations, type PolicyFacts } from "@meltemi/authorization";
import { descriptorOf, type RequestContext } from "@meltemi/l7/decide";
import type { RateLimit } from "@meltemi/model/l7";
import type { Verdict } from "./explanation.ts";
import type { LiveEndpoint } from "./waypoint-view.ts";

export interface LimitJudgement {
  readonly notes: readonly string[];
  /** `namespace/name` of those that count the request, and may refuse it. */
  readonly counting: readonly string[];
  /** When no limit's count matters: the request is answered in any case. */
  readonly verdict?: Verdict;
}

/** `endpoints` are those of a cluster; undefined: the waypoint has no such cluster. */
export function judgeLimits(
  limits: readonly RateLimit[],
  context: RequestContext,
  facts: PolicyFacts,
  endpoints: (cluster: string) => readonly LiveEndpoint[] | undefined,
): LimitJudgement {
  const notes: string[] = [];
  const counting: string[] = [];
  let verdict: Verdict | undefined;
  for (const limit of limits) {
    const name = `rate limit ${limit.namespace}/${limit.name}`;
    const ignored = whyNotCounted(limit, context, facts, notes);
    if (ignored !== undefined) {
      notes.push(`${name} does not count this request: ${ignored}`);
      continue;
    }
    counting.push(`${limit.namespace}/${limit.name}`);
    if (limit.limit.kind === "local") {
      notes.push(`${name} may refuse with 429 (${localText(limit.limit)}): it was not counted here`);
      continue;
    }
    const outcome = askedOutcome(name, limit.limit, endpoints(limit.limit.cluster));
    notes.push(outcome.note);
    verdict ??= outcome.verdict;
  }
  return { notes, counting, ...(verdict !== undefined && { verdict }) };
}

/** Undefined: it counts. */
function whyNotCounted(
  { operations, keys }: RateLimit,
  context: RequestContext,
  facts: PolicyFacts,
  problems: string[],
): string | undefined {
  const isMeant = compileOperations(operations, (problem) => void problems.push(problem));
  if (operations.length > 0 && !isMeant(facts)) return "none of its operations matches";
  const lacking = keys.find((key) => descriptorOf([key], context) === undefined);
  return lacking && `it has no ${keyText(lacking)}`;
}

function keyText(key: RateLimit["keys"][number]): string {
  switch (key.kind) {
    case "header":
      return `header ${key.name}`;
    case "claim":
      return `token with claim ${key.claim}`;
    default:
      return key.kind;
  }
}

function localText({ requests, perMs, burst }: Extract<RateLimit["limit"], { kind: "local" }>): string {
  return `${requests} per ${perMs / 1000}s, at most ${burst} at once, in each replica`;
}

/** A service that nobody can ask has no answer, and `failOpen` decides what that means. */
function askedOutcome(
  name: string,
  { cluster, failOpen, timeoutMs }: Extract<RateLimit["limit"], { kind: "global" }>,
  endpoints: readonly LiveEndpoint[] | undefined,
): { readonly note: string; readonly verdict?: Verdict } {
  const silence = failOpen ? "lets it pass (failOpen)" : "answers 500 (failOpen: false)";
  if (endpoints?.some(({ takes }) => takes) === true)
    return {
      note: `${name} asks ${cluster}, which was not asked here: it may refuse with 429; without an answer in ${timeoutMs} ms the waypoint ${silence}`,
    };
  const why = endpoints === undefined ? "is not known to the waypoint" : "has no healthy endpoint";
  const note = `${name} asks ${cluster}, which ${why}: the waypoint ${silence}`;
  if (failOpen) return { note };
  return { note, verdict: { kind: "answered", status: 500, reason: `${name}: its service ${why}` } };
}
