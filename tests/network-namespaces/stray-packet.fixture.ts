/** A TCP packet that belongs to no connection, as somebody with raw sockets sends it. */

import { ipBytes, type NetworkNamespace, type SocketAddress, withNetworkNamespace } from "@meltemi/linux";
import { checked } from "../../libraries/linux/src/failure.ts";
import { libc } from "../../libraries/linux/src/libc.ts";
import { AF_INET, encodeSocketAddress } from "../../libraries/linux/src/socket-address.ts";

const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_TCP = 6;
const ACK = 0x10;
/** TCP MD5 signature (RFC 2385): a listener without a key drops such a packet, where it would answer another with RST. */
const MD5_OPTION = Buffer.from([19, 18, ...new Uint8Array(16), 1, 1]);

/** An ACK that the receiving kernel takes up in connection tracking and then throws away without a word. IPv4 only. */
export function sendStrayAck(
  netns: NetworkNamespace,
  source: SocketAddress,
  destination: SocketAddress,
): void {
  const segment = Buffer.concat([Buffer.alloc(20), MD5_OPTION]);
  segment.writeUInt16BE(source.port, 0);
  segment.writeUInt16BE(destination.port, 2);
  segment.writeUInt32BE(1000, 4);
  segment.writeUInt32BE(2000, 8);
  segment.writeUInt8((segment.length / 4) << 4, 12);
  segment.writeUInt8(ACK, 13);
  segment.writeUInt16BE(65_535, 14);
  const pseudo = Buffer.from([
    ...ipBytes(source.ip),
    ...ipBytes(destination.ip),
    0,
    IPPROTO_TCP,
    0,
    segment.length,
  ]);
  segment.writeUInt16BE(checksum(Buffer.concat([pseudo, segment])), 16);
  withNetworkNamespace(netns, () => {
    const fd = checked("make raw socket", libc.socket(AF_INET, SOCK_RAW_CLOEXEC, IPPROTO_TCP));
    try {
      const address = encodeSocketAddress({ ip: destination.ip, port: 0 });
      checked("connect raw socket", libc.connect(fd, address, address.length));
      checked("send raw packet", libc.write(fd, segment, segment.length));
    } finally {
      libc.close(fd);
    }
  });
}

/** RFC 1071, of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
