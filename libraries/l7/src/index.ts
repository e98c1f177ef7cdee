export type {
  Caller,
  Cancellation,
  FilterVerdict,
  LocalReply,
  RequestContext,
  RequestFilter,
  VerifiedToken,
} from "./request-context.ts";
export { compileRoutes, type RouteProblem, type RouteTable } from "./routing/route-table.ts";
export { RegexCache } from "./text/regex.ts";
