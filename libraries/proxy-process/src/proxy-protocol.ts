/** PROXY protocol, both versions (HAProxy's proxy-protocol.txt §2.1 and §2.2; reference: protocol §1.11). */

import { formatIdentity, type Identity, ipBytes, isIpv6, type SocketAddress } from "@meltemi/model";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** TLV of the source's SPIFFE id, as Istio writes it. */
const TLV_IDENTITY = 0xd0;

/** Version 2. When the families differ, both addresses are written as IPv6, the IPv4 one mapped. */
export function encodeProxyHeader(
  source: SocketAddress,
  destination: SocketAddress,
  identity: Identity | undefined,
): Buffer {
  const ipv6 = isIpv6(source.ip) || isIpv6(destination.ip);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const id = identity === undefined ? Buffer.alloc(0) : Buffer.from(formatIdentity(identity), "utf8");
  const tlv = Buffer.alloc(identity === undefined ? 0 : 3);
  if (identity !== undefined) {
    tlv.writeUInt8(TLV_IDENTITY, 0);
    tlv.writeUInt16BE(id.length, 1);
  }
  const payload = Buffer.concat([
    addressBytes(source, ipv6),
    addressBytes(destination, ipv6),
    ports,
    tlv,
    id,
  ]);
  const head = Buffer.alloc(4);
  head.writeUInt8(VERSION_2_PROXY, 0);
  head.writeUInt8(ipv6 ? TCP_OVER_IPV6 : TCP_OVER_IPV4, 1);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([SIGNATURE, head, payload]);
}

/** Version 1, a line of text. When the families differ, both addresses are written as IPv6, the IPv4 one mapped. */
export function encodeProxyLine(source: SocketAddress, destination: SocketAddress): Buffer {
  const ipv6 = isIpv6(source.ip) || isIpv6(destination.ip);
  const text = ({ ip }: SocketAddress): string => (ipv6 && !isIpv6(ip) ? `::ffff:${ip}` : ip);
  const family = ipv6 ? "TCP6" : "TCP4";
  return Buffer.from(
    `PROXY ${family} ${text(source)} ${text(destination)} ${source.port} ${destination.port}\r\n`,
  );
}

function addressBytes(address: SocketAddress, ipv6: boolean): Uint8Array {
  const bytes = ipBytes(address.ip);
  if (!ipv6 || bytes.length === 16) return bytes;
  return Buffer.concat([Buffer.from("00000000000000000000ffff", "hex"), bytes]);
}
