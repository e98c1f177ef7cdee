/**
 * The engine's decisions alone, for those who explain what a waypoint does: the same functions on the same configuration, with no
 * server, no clusters and no sockets behind them.
 */

export { buildFilters } from "../filters/build-filters.ts";
export { FilterMemory } from "../filters/filter-memory.ts";
export { connectionFacts, policyFacts } from "../filters/policy-facts.ts";
export { policyOptions } from "../filters/policy-options.ts";
export { descriptorOf } from "../rate-limit/descriptor.ts";
export type { LocalReply, RequestContext } from "../request-context.ts";
export { normalizePath } from "../routing/normalize-path.ts";
export { compileRoutes, decideRoute, type RouteDecision } from "../routing/route-table.ts";
export { compileTcpRoutes, decideTcpRoute, type TcpDecision } from "../tcp/tcp-routes.ts";
