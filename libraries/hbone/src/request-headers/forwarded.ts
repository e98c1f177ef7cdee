/** The `forwarded` header of HBONE (RFC 7239; reference: protocol §1.4). What a peer says of itself is not proved by it. */

import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "@meltemi/model";

export function encodeForwarded(source: SocketAddress, serviceHostname: string | undefined): string {
  const forText = `for="${formatSocketAddress(source)}"`;
  return serviceHostname === undefined ? forText : `${forText};host=${serviceHostname}`;
}

/** The host that the client meant, as it says; undefined when the header has none or is malformed. */
export function forwardedHost(header: string | undefined): string | undefined {
  const host = parameter(header, "host");
  return host !== undefined && /^[A-Za-z0-9._-]{1,253}$/.test(host) ? host : undefined;
}

/** The client's address, as the peer says; undefined when the header has none or is malformed. */
export function forwardedFor(header: string | undefined): SocketAddress | undefined {
  const text = parameter(header, "for");
  return text === undefined ? undefined : parseSocketAddress(text);
}

/** Of the first hop, without quotes. */
function parameter(header: string | undefined, wanted: string): string | undefined {
  if (header === undefined) return undefined;
  for (const pair of (header.split(",")[0] ?? "").split(";")) {
    const [name = "", value = ""] = pair.split("=");
    if (name.trim().toLowerCase() === wanted) return value.trim().replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}
