/** Whoever is at the other end of a connection, as logs name it: IPv4 is not spelled as IPv6. */

import { formatSocketAddress, parseIp } from "@meltemi/model";

export function peerAddress(from: { readonly remoteAddress: string; readonly remotePort: number }): string {
  const ip = parseIp(from.remoteAddress);
  return ip === undefined ? "unknown" : formatSocketAddress({ ip, port: from.remotePort });
}
