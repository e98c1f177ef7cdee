/** `:authority` of a CONNECT request (reference: protocol §1.4, §1.5). */

import { formatSocketAddress, type Ip, parseSocketAddress } from "@meltemi/model";

export type Authority =
  | { readonly kind: "address"; readonly ip: Ip; readonly port: number }
  | { readonly kind: "hostname"; readonly hostname: string; readonly port: number };

const HOSTNAME = /^(?=.{1,253}:)([A-Za-z0-9_*](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?):(\d{1,5})$/;

/** Reads `ip:port`, `[ip6]:port` or `host:port`; undefined for anything else, a port of zero among it. */
export function parseAuthority(text: string): Authority | undefined {
  const address = parseSocketAddress(text);
  if (address !== undefined) return address.port === 0 ? undefined : { kind: "address", ...address };
  const [, hostname = "", portText = ""] = HOSTNAME.exec(text) ?? [];
  const port = Number(portText);
  // Digits and dots alone are a broken IPv4 address, never a name.
  if (hostname === "" || /^[0-9.]+$/.test(hostname) || port < 1 || port > 65535) return undefined;
  return { kind: "hostname", hostname, port };
}

export function formatAuthority(authority: Authority): string {
  return authority.kind === "address"
    ? formatSocketAddress(authority)
    : `${authority.hostname}:${authority.port}`;
}
