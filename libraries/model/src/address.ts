/**
 * IP addresses and networks. An address travels through the mesh as its canonical text (`10.0.0.1`, `fd00::1`;
 * an IPv4-mapped IPv6 address becomes the IPv4 one), so that it can be a map key; the bytes are made where they are needed.
 */

import { MeshError } from "@meltemi/runtime";

/** Canonical text of an IPv4 or IPv6 address. Only {@link parseIp} and {@link ipFromBytes} make one. */
export type Ip = string & { readonly __ip: never };

export interface SocketAddress {
  readonly ip: Ip;
  readonly port: number;
}

/** A network in CIDR form; host bits of `bytes` are zero. */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

export function isIpv6(ip: Ip): boolean {
  return ip.includes(":");
}

const OCTET = /(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)/.source;
/** IPv4 is canonical as it is, also behind what a dual-stack socket puts before it. By way of bytes each took 1 µs, four times a connection. */
const IPV4_TEXT = new RegExp(`^(?:::ffff:)?(${OCTET}(?:\\.${OCTET}){3})$`);

/** Parses any textual form; undefined when it is not an address. Zone ids and leading zeros in IPv4 are refused. */
export function parseIp(text: string): Ip | undefined {
  const v4 = IPV4_TEXT.exec(text)?.[1];
  if (v4 !== undefined) return v4 as Ip;
  const bytes = text.includes(":") ? parseIpv6(text) : undefined;
  return bytes === undefined ? undefined : ipFromBytes(bytes);
}

/** As {@link parseIp}; throws INPUT_INVALID for what is not an address. For constants and tests. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined)
    throw new MeshError(
      "INPUT_INVALID",
      `parse IP address ${JSON.stringify(text)}: not an IPv4 or IPv6 address`,
    );
  return parsed;
}

/** Canonical address of 4 or 16 bytes in network order; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): Ip | undefined {
  if (bytes.length === 4) return bytes.join(".") as Ip;
  if (bytes.length !== 16) return undefined;
  if (isMapped(bytes)) return bytes.subarray(12).join(".") as Ip;
  return formatIpv6(bytes) as Ip;
}

/** 4 or 16 bytes in network order. */
export function ipBytes(address: Ip): Uint8Array {
  const bytes = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (bytes === undefined)
    throw new MeshError("INPUT_INVALID", `bytes of IP address ${address}: not canonical`);
  return bytes;
}

export function isLoopback(address: Ip): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function formatSocketAddress(address: SocketAddress): string {
  return isIpv6(address.ip) ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
}

/** Reads `10.0.0.1:80` or `[fd00::1]:80`; undefined for anything else (host names among it). */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const bracketed = match[1];
  const address = parseIp(bracketed ?? match[2] ?? "");
  const port = Number(match[3]);
  if (address === undefined || port > 65535) return undefined;
  if (bracketed !== undefined && !bracketed.includes(":")) return undefined;
  return { ip: address, port };
}

/** Reads `10.0.0.0/8`, or a bare address as a network of one. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (bytes === undefined) return undefined;
  const max = bytes.length * 8;
  const lengthText = slash < 0 ? String(max) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(lengthText) || Number(lengthText) > max) return undefined;
  return cidr(bytes, Number(lengthText));
}

/**
 * A network from raw bytes; host bits are cleared. Undefined when the length does not fit the family.
 * A network of IPv4-mapped IPv6 addresses becomes the IPv4 one, as those addresses do.
 */
export function cidr(bytes: Uint8Array, prefixLength: number): Cidr | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bytes.length * 8)
    return undefined;
  if (isMapped(bytes) && prefixLength >= 96) return cidr(bytes.subarray(12), prefixLength - 96);
  const masked = Uint8Array.from(bytes, (byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff00 >> bits) & 0xff;
  });
  return { bytes: masked, prefixLength };
}

/** True when the address lies inside the network; families never match each other. */
export function cidrContains(network: Cidr, address: Ip): boolean {
  return cidrContainsBytes(network, ipBytes(address));
}

/** As {@link cidrContains} for an address whose bytes are at hand, so that many networks cost one parse. */
export function cidrContainsBytes(network: Cidr, bytes: Uint8Array): boolean {
  if (bytes.length !== network.bytes.length) return false;
  for (let index = 0, left = network.prefixLength; left > 0; index++, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff00 >> left) & 0xff;
    if (((bytes[index] ?? 0) & mask) !== ((network.bytes[index] ?? 0) & mask)) return false;
  }
  return true;
}

export function formatCidr(network: Cidr): string {
  return `${ipFromBytes(network.bytes) ?? "?"}/${network.prefixLength}`;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && MAPPED_PREFIX.every((value, index) => bytes[index] === value);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    // A leading zero is octal to some readers and decimal to others: refuse it.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[index] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const before = ipv6Groups(head, tail === undefined);
  const after = tail === undefined ? [] : ipv6Groups(tail, true);
  if (before === undefined || after === undefined) return undefined;
  const known = before.length + after.length;
  // `::` stands for at least one group (RFC 4291 §2.2).
  if (tail === undefined ? known !== 16 : known > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(before);
  bytes.set(after, 16 - after.length);
  return bytes;
}

/** Bytes of `a:b:c`; where the text ends, the last group may be a dotted IPv4 address. */
function ipv6Groups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (endsAddress && index === groups.length - 1 && group.includes(".")) {
      const v4 = parseIpv4(group);
      return v4 === undefined ? undefined : [...bytes, ...v4];
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups shortened, the first one on a tie. */
function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > bestLength) [bestStart, bestLength] = [start, length];
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  if (bestStart < 0) return text(0, 8);
  return `${text(0, bestStart)}::${text(bestStart + bestLength, 8)}`;
}
