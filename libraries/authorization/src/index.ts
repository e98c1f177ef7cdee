export { type AuthorizationDecision, type DryRunResult, decideAuthorization } from "./decide.ts";
export type { L4Connection } from "./match.ts";
