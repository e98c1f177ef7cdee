/** The `forwarded` header of HBONE (RFC 7239; reference: protocol §1.4). Policy never reads it. */

import { formatSocketAddress, type SocketAddress } from "@meltemi/model";

export function encodeForwarded(source: SocketAddress, serviceHostname: string | undefined): string {
  const forText = `for="${formatSocketAddress(source)}"`;
  return serviceHostname === undefined ? forText : `${forText};host=${serviceHostname}`;
}

/** The host that the client meant, as it says; undefined when the header has none or is malformed. */
export function forwardedHost(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  for (const pair of (header.split(",")[0] ?? "").split(";")) {
    const [name = "", value = ""] = pair.split("=");
    if (name.trim().toLowerCase() !== "host") continue;
    const host = value.trim().replace(/^"(.*)"$/, "$1");
    return /^[A-Za-z0-9._-]{1,253}$/.test(host) ? host : undefined;
  }
  return undefined;
}
