export { type AuthorizationDecision, type DryRunResult, decideAuthorization } from "./decide.ts";
export { guardRefusal } from "./guard-refusal.ts";
export type { L4Connection } from "./match.ts";
export { compileOperations } from "./request/compile-rule.ts";
export { PolicyFacts } from "./request/policy-request.ts";
export { type PolicyOptions, RequestPolicies, type TrialResult } from "./request/request-policies.ts";
