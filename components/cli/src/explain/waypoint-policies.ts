/** What a waypoint's filters say of one request or connection: the engine's own, and each policy asked alone. */

import { type PolicyFacts, RequestPolicies } from "@meltemi/authorization";
import {
  buildFilters,
  connectionFacts,
  FilterMemory,
  type LocalReply,
  policyFacts,
  policyOptions,
  type RequestContext,
} from "@meltemi/l7/decide";
import type { RequestPolicy, ServedService, WaypointSettings } from "@meltemi/model/l7";
import { type Clock, MeshError } from "@meltemi/runtime";
import type { JudgedPolicy, Verdict } from "./explanation.ts";
import { judgeLimits } from "./rate-limits.ts";
import type { WaypointView } from "./waypoint-view.ts";

/** Of a service, or of the waypoint itself for traffic to workloads. */
export type PolicySubject = Pick<ServedService, "jwtRules" | "policies" | "rateLimits">;

export interface FilterJudgement {
  readonly policies: readonly JudgedPolicy[];
  readonly notes: readonly string[];
  readonly verdict: Verdict;
}

/** Runs tokens and policies on the request, which changes it as in a waypoint. External authorizers and counters are not asked. */
export async function judgeRequest(
  subject: PolicySubject,
  { settings, endpoints }: Pick<WaypointView, "settings" | "endpoints">,
  context: RequestContext,
  clock: Clock,
): Promise<FilterJudgement> {
  const notes: string[] = [];
  const onProblem = (problem: string): void => void notes.push(problem);
  const asked = subject.policies.filter(({ action }) => typeof action !== "object");
  const filters = buildFilters(
    {
      scope: "",
      settings,
      jwtRules: subject.jwtRules,
      policies: asked,
      rateLimits: [],
      cluster: () => undefined,
    },
    { memory: new FilterMemory({ clock }), onProblem },
  );
  let reply: LocalReply | undefined;
  for (const filter of filters) {
    const result = await filter.onRequest(context, {
      signal: new AbortController().signal,
      readBody: noBody,
    });
    if (result.kind === "continue") continue;
    reply = result.reply;
    break;
  }
  const facts = (policies: RequestPolicies): PolicyFacts => policyFacts(policies, context);
  const policies = judgeEach(subject.policies, settings, "http", facts);
  const judged = verdictOf(reply, policies);
  const all = new RequestPolicies(asked, policyOptions("http", { settings }, { onProblem: () => undefined }));
  // Limits come last: what was refused before them is not counted.
  const limited =
    reply === undefined
      ? judgeLimits(subject.rateLimits, context, facts(all), (name) => endpoints.get(name))
      : { notes: [], counting: [] };
  return {
    policies,
    notes: [...notes, ...extraNotes(subject, policies), ...limited.notes],
    verdict: limited.verdict ?? unlessLimited(judged, limited.counting),
  };
}

/** A connection whose bytes are not read. */
export function judgeTcp(
  subject: PolicySubject,
  settings: WaypointSettings,
  connection: Parameters<typeof connectionFacts>[1],
): FilterJudgement {
  const notes: string[] = [];
  const options = policyOptions("tcp", { settings }, { onProblem: (problem) => void notes.push(problem) });
  const all = new RequestPolicies(subject.policies, options);
  const denial = all.denial(connectionFacts(all, connection));
  const policies = judgeEach(subject.policies, settings, "tcp", (each) => connectionFacts(each, connection));
  const verdict: Verdict =
    denial === undefined
      ? { kind: "allowed", reason: allowedBy(policies) }
      : { kind: "denied", reason: denialText(denial) };
  return { policies, notes, verdict };
}

function noBody(): Promise<never> {
  return Promise.reject(new MeshError("UNSUPPORTED", "read the body: there is none to explain"));
}

const ORDER = ["CUSTOM", "DENY", "ALLOW", "AUDIT"];

function judgeEach(
  policies: readonly RequestPolicy[],
  settings: WaypointSettings,
  layer: "http" | "tcp",
  factsOf: (policies: RequestPolicies) => PolicyFacts,
): readonly JudgedPolicy[] {
  return policies
    .map((policy): JudgedPolicy => {
      const enforced = { ...policy, dryRun: false };
      const problems: string[] = [];
      const options = policyOptions(
        layer,
        { settings },
        { onProblem: (problem) => void problems.push(problem) },
      );
      const alone = new RequestPolicies([enforced], options);
      return {
        action: typeof policy.action === "object" ? "CUSTOM" : policy.action.toUpperCase(),
        policy: `${policy.namespace}/${policy.name}`,
        matches: matchesAlone(policy, alone, factsOf(alone)),
        dryRun: policy.dryRun,
        ...(problems.length > 0 && { note: problems.join("; ") }),
      };
    })
    .sort((a, b) => ORDER.indexOf(a.action) - ORDER.indexOf(b.action));
}

function matchesAlone({ action }: RequestPolicy, alone: RequestPolicies, facts: PolicyFacts): boolean {
  if (typeof action === "object") return alone.providersFor(facts).size > 0;
  if (action === "audit") return alone.isAudited(facts);
  const denied = alone.denial(facts) !== undefined;
  return action === "deny" ? denied : !denied;
}

function extraNotes(subject: PolicySubject, policies: readonly JudgedPolicy[]): readonly string[] {
  const notes: string[] = [];
  if (policies.some(({ action, matches, dryRun }) => action === "CUSTOM" && matches && !dryRun))
    notes.push("an external authorizer is asked, and may still refuse: it was not asked here");
  if (subject.jwtRules.length > 0)
    notes.push(`tokens of ${subject.jwtRules.map(({ issuer }) => issuer).join(", ")} are verified`);
  return notes;
}

function verdictOf(reply: LocalReply | undefined, policies: readonly JudgedPolicy[]): Verdict {
  if (reply === undefined) return { kind: "allowed", reason: allowedBy(policies) };
  const rule = /^rbac_access_denied_matched_policy\[(.*)\]$/s.exec(reply.details)?.[1];
  const reason = rule === undefined ? `${reply.body || reply.details}` : denialText(rule);
  return { kind: "denied", reason, status: reply.status };
}

function unlessLimited(verdict: Verdict, limits: readonly string[]): Verdict {
  if (verdict.kind !== "allowed" || limits.length === 0) return verdict;
  return {
    ...verdict,
    reason: `${verdict.reason}, unless rate limit ${[...new Set(limits)].join(" or ")} refuses`,
  };
}

function denialText(rule: string): string {
  return rule === "none" ? "allow policies exist, but none allowed" : `explicitly denied by: ${rule}`;
}

function allowedBy(policies: readonly JudgedPolicy[]): string {
  const allowing = policies.find(({ action, matches, dryRun }) => action === "ALLOW" && matches && !dryRun);
  return allowing === undefined ? "no ALLOW policy applies here" : `allowed by ${allowing.policy}`;
}
