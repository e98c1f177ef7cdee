/** What the proxy itself changes in a request's head before it goes on (reference: l7-and-cli §1.10). */

import type { HeaderFields, RequestHead } from "@meltemi/http";
import { formatIdentity, type Identity } from "@meltemi/model";
import type { Caller } from "../request-context.ts";

const CLIENT_IDENTITY = "x-forwarded-client-cert";

/** Done once, before any filter: what a client must not be believed is gone when the first filter looks. */
export function prepareHead(head: RequestHead, requestId: () => string): void {
  const { headers } = head;
  // Whoever sends it could claim to be anyone (reference: l7-and-cli §7.3, issue 54995).
  dropClientIdentity(headers);
  headers.delete("x-envoy-attempt-count");
  headers.delete("x-envoy-original-path");
  if (!headers.has("x-request-id")) headers.append("x-request-id", requestId());
  if (!headers.has("x-forwarded-proto")) headers.append("x-forwarded-proto", head.scheme);
}

/** Frameworks that hand fields on as variables (CGI, WSGI) take `_` for `-`: every spelling goes. */
function dropClientIdentity(headers: HeaderFields): void {
  const { flat } = headers;
  for (let at = flat.length - 2; at >= 0; at -= 2) {
    const name = flat[at] as string;
    if (name.length !== CLIENT_IDENTITY.length || !name.endsWith("cert")) continue;
    if (name.replaceAll("_", "-") === CLIENT_IDENTITY) flat.splice(at, 2);
  }
}

/** Tells the service who called, in Envoy's form. */
export function forwardClientIdentity(head: RequestHead, own: Identity, caller: Caller): void {
  if (caller.identity === undefined) return;
  head.headers.set(CLIENT_IDENTITY, `By=${formatIdentity(own)};URI=${formatIdentity(caller.identity)}`);
}
