/** Makes of the request that came the one that goes on, and of the response likewise, as the route that was taken says. */

import type { RequestHead, ResponseHead } from "@meltemi/http";
import { applyHeaderEdit } from "./header-edit.ts";
import { rewritePath } from "./path-rewrite.ts";
import type { RouteDecision } from "./route-table.ts";

type ForwardDecision = Extract<RouteDecision, { readonly kind: "forward" }>;

/**
 * Changes `request`. The route's header edits come first, those of the target after them, so that the target has the last word;
 * of the host it is the route that has it: `rewrite.authority`, then the route's `host` header, then the target's (reference:
 * l7-and-cli §8.4, "set host header"). False, and nothing is changed, when the path cannot be rewritten: answer 500.
 */
export function rewriteRequest(decision: ForwardDecision, request: RequestHead): boolean {
  const { forward, route, target, prefix } = decision;
  if (forward.path !== undefined && request.path.startsWith("/")) {
    const path = rewritePath(forward.path, request.path, prefix);
    if (path === undefined) return false;
    if (!request.headers.has("x-envoy-original-path"))
      request.headers.append("x-envoy-original-path", request.path);
    request.path = path;
  }
  const authority = forward.authority ?? route.requestHeaders?.authority ?? target.requestHeaders?.authority;
  if (authority !== undefined) request.authority = authority;
  applyHeaderEdit(route.requestHeaders, request.headers);
  applyHeaderEdit(target.requestHeaders, request.headers);
  return true;
}

/** Changes `response`, which came from the target of `decision`; for answers of the route itself, only the route's edits apply. */
export function rewriteResponse(decision: RouteDecision, response: ResponseHead): void {
  if (decision.kind === "none") return;
  applyHeaderEdit(decision.route.responseHeaders, response.headers);
  if (decision.kind === "forward") applyHeaderEdit(decision.target.responseHeaders, response.headers);
}
