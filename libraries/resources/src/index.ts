export { customResourceDefinitions, gatewayApiDefinitions, istioDefinitions } from "./definitions.ts";
export {
  type AuthorizationAction,
  type AuthorizationCondition,
  type AuthorizationOperation,
  type AuthorizationPolicy,
  type AuthorizationRule,
  type AuthorizationSource,
  parseAuthorizationPolicy,
} from "./istio/authorization-policy.ts";
export {
  type MutualTlsMode,
  type PeerAuthentication,
  parsePeerAuthentication,
} from "./istio/peer-authentication.ts";
export {
  parseServiceEntry,
  type ServiceEntry,
  type ServiceEntryBackends,
  type ServiceEntryPort,
  type ServiceResolution,
} from "./istio/service-entry.ts";
export type { PolicyTarget, TargetRef } from "./istio/target.ts";
export { type EntryEndpoint, parseWorkloadEntry, type WorkloadEntry } from "./istio/workload-entry.ts";
export type { Metadata } from "./metadata.ts";
export { formatProblems, type Parsed, type Problem } from "./problem.ts";
