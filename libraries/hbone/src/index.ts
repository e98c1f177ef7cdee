export { type HeaderField, type HeaderFields, headerValues } from "./headers.ts";
export { HBONE_CLIENT_DEFAULTS, HBONE_SERVER_DEFAULTS, type HboneOptions } from "./options.ts";
export type { HbonePeer } from "./peer.ts";
export {
  createHbonePool,
  HBONE_POOL_DEFAULTS,
  type HbonePool,
  type HbonePoolDeps,
  type HbonePoolOptions,
  type PoolKey,
  type TunnelFailure,
  type TunnelOutcome,
  type TunnelRequest,
} from "./pool.ts";
export {
  type ConnectionEnd,
  createHboneServer,
  type HboneAdmission,
  type HboneServer,
  type HboneServerDeps,
  type HboneServerOptions,
} from "./server.ts";
export type { HboneRequest } from "./server-request.ts";
