/** Packets that no ordinary socket sends, but somebody with raw sockets may. IPv4 only. */

import { ipBytes, type NetworkNamespace, type SocketAddress, withNetworkNamespace } from "@meltemi/linux";
import { checked } from "../../libraries/linux/src/failure.ts";
import { libc } from "../../libraries/linux/src/libc.ts";
import { AF_INET, encodeSocketAddress } from "../../libraries/linux/src/socket-address.ts";

const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const UDP_HEADER_BYTES = 8;
const ACK = 0x10;
/** TCP MD5 signature (RFC 2385): a listener without a key drops such a packet, where it would answer another with RST. */
const MD5_OPTION = Buffer.from([19, 18, ...new Uint8Array(16), 1, 1]);

/** An ACK that the receiving kernel takes up in connection tracking and then throws away without a word. */
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
  sendRaw(netns, IPPROTO_TCP, destination.ip, segment);
}

/** A datagram from port 0, to which nothing can be answered. */
export function sendFromPortZero(
  netns: NetworkNamespace,
  destination: SocketAddress,
  body: Uint8Array,
): void {
  const header = Buffer.alloc(UDP_HEADER_BYTES);
  header.writeUInt16BE(destination.port, 2);
  header.writeUInt16BE(header.length + body.length, 4);
  // A checksum of 0 means: none.
  sendRaw(netns, IPPROTO_UDP, destination.ip, Buffer.concat([header, body]));
}

function sendRaw(netns: NetworkNamespace, protocol: number, ip: string, packet: Buffer): void {
  withNetworkNamespace(netns, () => {
    const fd = checked("make raw socket", libc.socket(AF_INET, SOCK_RAW_CLOEXEC, protocol));
    try {
      const address = encodeSocketAddress({ ip, port: 0 });
      checked("connect raw socket", libc.connect(fd, address, address.length));
      checked("send raw packet", libc.write(fd, packet, packet.length));
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
