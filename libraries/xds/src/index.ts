export type { TerminationReason } from "./client/connection.ts";
export type {
  XdsClient,
  XdsClientDependencies,
  XdsClientMetrics,
  XdsClientOptions,
  XdsNode,
} from "./client/options.ts";
export {
  ADDRESS_TYPE_URL,
  type Address,
  AUTHORIZATION_TYPE_URL,
  type Named,
  type RejectedResource,
  type XdsTypeUrl,
  type XdsUpdate,
} from "./types.ts";
