/** Socket addresses: canonical text and port outside, `struct sockaddr_in` and `sockaddr_in6` inside (ip(7), ipv6(7)). */

import { MeshError } from "@meltemi/runtime";
import { libc } from "./libc.ts";

/** IP address as canonical text (RFC 5952; an IPv4-mapped one is written as IPv4) and a port. */
export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Size of `sockaddr_in6`, the larger of the two. */
export const SOCKADDR_BYTES = 28;
const SOCKADDR_IN_BYTES = 16;
const MAPPED_PREFIX = Buffer.from("00000000000000000000ffff", "hex");

type Family = typeof AF_INET | typeof AF_INET6;

/** 4 or 16 bytes of an address in network order; INPUT_INVALID for what is not an address. */
export function ipBytes(ip: string): Uint8Array {
  const v6 = ip.includes(":");
  const bytes = Buffer.alloc(v6 ? 16 : 4);
  // A NUL would end the C string early and let the rest through unread.
  if (ip.includes("\0") || libc.inetPton(v6 ? AF_INET6 : AF_INET, ip, bytes) !== 1) {
    throw new MeshError("INPUT_INVALID", `read IP address ${JSON.stringify(ip)}: expected IPv4 or IPv6`);
  }
  return bytes;
}

/** Canonical text of 4 or 16 bytes. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (MAPPED_PREFIX.equals(bytes.subarray(0, 12))) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const [start, length] = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best[1]) best = [start, length];
  }
  return best;
}

/** The family a socket for this address is made in. */
export function familyOf(address: SocketAddress): Family {
  return address.ip.includes(":") ? AF_INET6 : AF_INET;
}

/** `struct sockaddr_in` or `sockaddr_in6` of an address. */
export function encodeSocketAddress(address: SocketAddress): Buffer {
  if (!Number.isInteger(address.port) || address.port < 0 || address.port > 65535) {
    throw new MeshError(
      "INPUT_INVALID",
      `read port ${address.port}: expected a whole number from 0 to 65535`,
    );
  }
  const family = familyOf(address);
  const raw = Buffer.alloc(family === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_BYTES);
  writeNative16(raw, family);
  raw.writeUInt16BE(address.port, 2);
  raw.set(ipBytes(address.ip), family === AF_INET ? 4 : 8);
  return raw;
}

/** Reads a `sockaddr`; undefined for any other family. */
export function decodeSocketAddress(raw: Buffer): SocketAddress | undefined {
  const family = readNative16(raw);
  if (family === AF_INET && raw.length >= SOCKADDR_IN_BYTES)
    return { ip: ipText(raw.subarray(4, 8)), port: raw.readUInt16BE(2) };
  if (family === AF_INET6 && raw.length >= SOCKADDR_BYTES)
    return { ip: ipText(raw.subarray(8, 24)), port: raw.readUInt16BE(2) };
  return undefined;
}

// Both machines Node is pinned for are little-endian, as every Linux that runs Node today but s390x.
function writeNative16(raw: Buffer, value: number): void {
  raw.writeUInt16LE(value, 0);
}

function readNative16(raw: Buffer): number {
  return raw.length < 2 ? 0 : raw.readUInt16LE(0);
}
