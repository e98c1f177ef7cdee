export { type HeaderField, type HeaderFields, headerValues } from "./headers.ts";
export { HBONE_CLIENT_DEFAULTS, HBONE_SERVER_DEFAULTS, type HboneOptions } from "./options.ts";
export type { HbonePeer, PeerVerdict } from "./peer.ts";
export type {
  HbonePool,
  HbonePoolDeps,
  HbonePoolOptions,
  PoolKey,
  TunnelOutcome,
  TunnelRequest,
} from "./pool.ts";
export type { ConnectionEnd, HboneRequest, HboneServer, HboneServerDeps } from "./server.ts";
