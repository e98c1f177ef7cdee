/** Of Istio's own Gateway, which no ambient proxy reads: that it says something at all. Pure. */

import type { Findings } from "../findings.ts";
import type { Path } from "../path.ts";

/** Also what a control plane asks of its own webhook, to see that it is heard. */
export function checkServers(value: unknown, path: Path, findings: Findings): void {
  const { servers } = (value ?? {}) as { readonly servers?: unknown };
  if (!Array.isArray(servers) || servers.length === 0)
    findings.error([...path, "servers"], "expected at least one server, got none");
}
