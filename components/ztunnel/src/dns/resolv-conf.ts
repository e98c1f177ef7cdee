/** Name servers of a resolv.conf(5). */

import { parseIp, type SocketAddress } from "@meltemi/model";

/** As the C library: further ones are never asked. */
const MAX_NAMESERVERS = 3;

export function parseNameservers(text: string): readonly SocketAddress[] {
  const found: SocketAddress[] = [];
  for (const line of text.split("\n")) {
    const [, word] = /^\s*nameserver\s+([^\s#;]+)/.exec(line) ?? [];
    const ip = word === undefined ? undefined : parseIp(word.replace(/%.*$/, ""));
    if (ip !== undefined && found.length < MAX_NAMESERVERS) found.push({ ip, port: 53 });
  }
  return found;
}
