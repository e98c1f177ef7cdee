export { type HeaderField, type HeaderFields, headerValues } from "./headers.ts";
export { type InnerTunnelDeps, type InnerTunnelRequest, openInnerTunnel } from "./inner-tunnel.ts";
export { HBONE_CLIENT_DEFAULTS, HBONE_SERVER_DEFAULTS, type HboneOptions } from "./options.ts";
export type { HbonePeer } from "./peer.ts";
export { createHbonePool, type HbonePool } from "./pool.ts";
export { HBONE_POOL_DEFAULTS, type HbonePoolDeps, type HbonePoolOptions } from "./pool-options.ts";
export { type Authority, formatAuthority, parseAuthority } from "./request-headers/authority.ts";
export { type Baggage, encodeBaggage, parseBaggage } from "./request-headers/baggage.ts";
export { encodeForwarded, forwardedFor, forwardedHost } from "./request-headers/forwarded.ts";
export {
  type ConnectionEnd,
  createHboneServer,
  type HboneAdmission,
  type HboneServer,
  type HboneServerDeps,
  type HboneServerOptions,
} from "./server.ts";
export type { HboneRequest } from "./server-request.ts";
export type { PoolKey, TunnelFailure, TunnelOutcome, TunnelRequest } from "./tunnel.ts";
