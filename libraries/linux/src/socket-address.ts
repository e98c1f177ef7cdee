/** Socket addresses: canonical text and port outside, `struct sockaddr_in` and `sockaddr_in6` inside (ip(7), ipv6(7)). */

import { isIPv4 } from "node:net";
import { MeshError } from "@meltemi/runtime";
import { fixedMemory, libc } from "./libc.ts";

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
  const bytes = Buffer.alloc(ip.includes(":") ? 16 : 4);
  writeIp(ip, bytes);
  return bytes;
}

function writeIp(ip: string, into: Uint8Array): void {
  if (into.length === 4 && isIPv4(ip)) {
    let at = 0;
    for (const octet of ip.split(".")) into[at++] = Number(octet);
    return;
  }
  // A NUL would end the C string early and let the rest through unread.
  if (into.length === 4 || ip.includes("\0") || libc.inetPton(AF_INET6, ip, into) !== 1)
    throw new MeshError("INPUT_INVALID", `read IP address ${JSON.stringify(ip)}: expected IPv4 or IPv6`);
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

/**
 * Filled anew for every call: the kernel copies an address before the system call returns. Memory of its own for each address was
 * the price of a `malloc` and of an entry in V8's table of backing stores.
 */
const SCRATCH_IN = fixedMemory(SOCKADDR_IN_BYTES);
const SCRATCH_IN6 = fixedMemory(SOCKADDR_BYTES);
const IP_IN = SCRATCH_IN.subarray(4, 8);
const IP_IN6 = SCRATCH_IN6.subarray(8, 24);

/** `struct sockaddr_in` or `sockaddr_in6` of an address, in memory that the next call overwrites. */
export function encodeSocketAddress(address: SocketAddress): Buffer {
  const { ip, port } = address;
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new MeshError("INPUT_INVALID", `read port ${port}: expected a whole number from 0 to 65535`);
  const v4 = familyOf(address) === AF_INET;
  writeIp(ip, v4 ? IP_IN : IP_IN6);
  const raw = v4 ? SCRATCH_IN : SCRATCH_IN6;
  writeNative16(raw, v4 ? AF_INET : AF_INET6);
  raw.writeUInt16BE(port, 2);
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
