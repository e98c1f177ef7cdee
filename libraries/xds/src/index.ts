export { createWaypointXdsClient, createXdsClient } from "./client/client.ts";
export type { TerminationReason } from "./client/connection.ts";
export type {
  XdsClient,
  XdsClientDependencies,
  XdsClientMetrics,
  XdsClientOptions,
  XdsNode,
} from "./client/options.ts";
export { DELTA_METHOD } from "./client/stream.ts";
export { decodeAddress, decodePolicy, encodeAddress, encodePolicy } from "./convert/resource.ts";
export {
  decodeServedService,
  decodeWaypointSettings,
  decodeWorkloadLabels,
  encodeServedService,
  encodeWaypointSettings,
  encodeWorkloadLabels,
  requireServedService,
  requireWaypointSettings,
} from "./l7/resource.ts";
export {
  type EncodedResource,
  encodeResource,
  encodeResponse,
  nodeKey,
  type ResourceSource,
} from "./server/encoded.ts";
export { createResourceLog, type ResourceLog } from "./server/resource-log.ts";
export { createDeltaSession, type DeltaSession, type Received, type SessionNode } from "./server/session.ts";
export type { Answer, Next, Watch, WatchStatus } from "./server/watch.ts";
export {
  ADDRESS_TYPE_URL,
  type Address,
  AUTHORIZATION_TYPE_URL,
  type Named,
  type RejectedResource,
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  type WaypointXdsUpdate,
  WORKLOAD_LABELS_TYPE_URL,
  type WorkloadLabels,
  type XdsTypeUrl,
  type XdsUpdate,
} from "./types.ts";
