/** What the proxy itself changes in a request's head before it goes on (reference: l7-and-cli §1.10). */

import type { RequestHead } from "@meltemi/http";
import { formatIdentity, type Identity } from "@meltemi/model";
import type { Caller } from "../request-context.ts";

/** Done once, before any filter: what a client must not be believed is gone when the first filter looks. */
export function prepareHead(head: RequestHead, requestId: () => string): void {
  const { headers } = head;
  // Whoever sends it could claim to be anyone (reference: l7-and-cli §7.3, issue 54995).
  headers.delete("x-forwarded-client-cert");
  headers.delete("x-envoy-attempt-count");
  headers.delete("x-envoy-original-path");
  if (!headers.has("x-request-id")) headers.append("x-request-id", requestId());
  if (!headers.has("x-forwarded-proto")) headers.append("x-forwarded-proto", head.scheme);
}

/** Tells the service who called, in Envoy's form. */
export function forwardClientIdentity(head: RequestHead, own: Identity, caller: Caller): void {
  if (caller.identity === undefined) return;
  head.headers.set(
    "x-forwarded-client-cert",
    `By=${formatIdentity(own)};URI=${formatIdentity(caller.identity)}`,
  );
}

/** A copy that later filters and routes may change without changing what is logged. */
export function copyHead(head: RequestHead): RequestHead {
  return { ...head, headers: head.headers.copy() };
}
