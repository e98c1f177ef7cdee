/** Ranges of addresses (CIDR, RFC 4632 and RFC 4291) to give addresses out of. */
import { isIPv4, isIPv6 } from "node:net";
import { MeshError } from "@meltemi/runtime";

export interface AddressRange {
  readonly family: "IPv4" | "IPv6";
  readonly first: bigint;
  /** Number of addresses, the network's own included. */
  readonly size: bigint;
}

/** @throws MeshError CONFIG_INVALID */
export function parseRange(cidr: string): AddressRange {
  const [address = "", length = ""] = cidr.split("/");
  const value = addressToInteger(address);
  const bits = isIPv4(address) ? 32 : 128;
  const prefix = Number(length);
  if (value === undefined || length === "" || !Number.isInteger(prefix) || prefix < 0 || prefix > bits) {
    throw new MeshError(
      "CONFIG_INVALID",
      `address range ${JSON.stringify(cidr)}: expected an address and a prefix length, such as 10.96.0.0/16`,
    );
  }
  const size = 1n << BigInt(bits - prefix);
  return { family: bits === 32 ? "IPv4" : "IPv6", first: value & ~(size - 1n), size };
}

/** Addresses looked at before giving up: a /16 holds as many. */
const MAX_SEARCH = 65_536n;
/** Low addresses are left to those who ask for one by name (`.1` the API server, `.10` DNS). */
const RESERVED = 16n;

/** `wanted` when it lies in the range and is free, or any free one when it is empty; undefined when there is none. */
export function addressInRange(
  range: AddressRange,
  wanted: string,
  taken: ReadonlySet<string>,
): string | undefined {
  if (wanted !== "") {
    const value = addressToInteger(wanted);
    const inside = value !== undefined && value >= range.first && value < range.first + range.size;
    return inside && !taken.has(wanted) ? wanted : undefined;
  }
  const last = range.size - 1n < MAX_SEARCH ? range.size - 1n : MAX_SEARCH;
  for (let offset = RESERVED < last ? RESERVED : 1n; offset < last; offset++) {
    const address = integerToAddress(range.family, range.first + offset);
    if (!taken.has(address)) return address;
  }
  return undefined;
}

/** The `offset`th address of a range: 1 is the API server's in Kubernetes. */
export function addressAt(range: AddressRange, offset: number): string {
  return integerToAddress(range.family, range.first + BigInt(offset));
}

function addressToInteger(address: string): bigint | undefined {
  if (isIPv4(address)) return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  if (!isIPv6(address) || address.includes(".") || address.includes("%")) return undefined;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, part) => sum * 65_536n + BigInt(`0x${part}`), 0n);
}

function integerToAddress(family: "IPv4" | "IPv6", value: bigint): string {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 65_535n).toString(16),
  );
  // The longest run of zeros is written once as `::` (RFC 5952).
  const runs = [...groups.join(":").matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)].map((found) => found[0]);
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  const text = groups.join(":");
  if (longest === undefined) return text;
  const at = text.search(new RegExp(`(?<![0-9a-f])${longest}(?![0-9a-f])`));
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

/** The 4 or 16 bytes of an address. @throws MeshError INPUT_INVALID */
export function addressBytes(address: string): Buffer {
  const value = addressToInteger(address);
  if (value === undefined)
    throw new MeshError("INPUT_INVALID", `address ${JSON.stringify(address)}: expected an IP address`);
  return Buffer.from(value.toString(16).padStart(isIPv4(address) ? 8 : 32, "0"), "hex");
}
