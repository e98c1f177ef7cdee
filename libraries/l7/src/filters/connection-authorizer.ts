/** Policy on connections whose bytes are not read as HTTP (reference: l7-and-cli §2.1). */

import type { RequestPolicy, WaypointSettings } from "@meltemi/model/l7";
import type { TcpSite } from "../tcp/tcp-site.ts";

/** A {@link TcpSite}'s `authorize`: undefined when the connection may pass, else why not, in Envoy's words. */
export function buildConnectionAuthorizer(input: {
  readonly policies: readonly RequestPolicy[];
  readonly settings: Pick<WaypointSettings, "trustDomain" | "trustDomainAliases">;
}): TcpSite["authorize"] {
  return input.policies.length === 0 ? () => undefined : () => "rbac_access_denied_matched_policy[none]";
}
