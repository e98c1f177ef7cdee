/** The headers of one captured Ethernet frame (RFC 791, RFC 8200, RFC 9293, RFC 768). */

export interface Packet {
  /** `10.244.1.4`, or eight groups in lower case for IPv6. */
  readonly source: string;
  readonly destination: string;
  /** A number is any other protocol of IP; ports are 0 then. */
  readonly protocol: "tcp" | "udp" | number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TCP: the first packet of a connection. */
  readonly opens: boolean;
  readonly sequence: number;
  readonly payload: Buffer;
}

const ETHERNET_BYTES = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const IPV6_BYTES = 40;
const TCP = 6;
const UDP = 17;
const TCP_BYTES = 20;
const SYN = 0x02;
const ACK = 0x10;

/** Undefined: no packet of IP, or one that is cut short. */
export function readPacket(frame: Buffer): Packet | undefined {
  if (frame.length < ETHERNET_BYTES + TCP_BYTES) return undefined;
  const etherType = frame.readUInt16BE(12);
  const ip = frame.subarray(ETHERNET_BYTES);
  if (etherType === IPV4) {
    const header = (ip.readUInt8(0) & 0x0f) * 4;
    const ends = { source: ip.subarray(12, 16).join("."), destination: ip.subarray(16, 20).join(".") };
    return readTransport(ip.readUInt8(9), ends, ip.subarray(header, ip.readUInt16BE(2)));
  }
  if (etherType !== IPV6 || ip.length < IPV6_BYTES) return undefined;
  const ends = { source: ipv6Text(ip.subarray(8, 24)), destination: ipv6Text(ip.subarray(24, 40)) };
  return readTransport(ip.readUInt8(6), ends, ip.subarray(IPV6_BYTES, IPV6_BYTES + ip.readUInt16BE(4)));
}

function readTransport(
  protocol: number,
  ends: { readonly source: string; readonly destination: string },
  bytes: Buffer,
): Packet | undefined {
  const none = { sourcePort: 0, destinationPort: 0, opens: false, sequence: 0, payload: Buffer.alloc(0) };
  if (protocol !== TCP && protocol !== UDP) return { ...ends, protocol, ...none };
  if (bytes.length < (protocol === TCP ? TCP_BYTES : 8)) return undefined;
  const ports = { sourcePort: bytes.readUInt16BE(0), destinationPort: bytes.readUInt16BE(2) };
  if (protocol === UDP) return { ...ends, ...none, ...ports, protocol: "udp" };
  return {
    ...ends,
    ...ports,
    protocol: "tcp",
    opens: (bytes.readUInt8(13) & (SYN | ACK)) === SYN,
    sequence: bytes.readUInt32BE(4),
    payload: bytes.subarray((bytes.readUInt8(12) >> 4) * 4),
  };
}

/** One spelling for every spelling of an address: eight groups without leading zeros. */
export function ipv6Text(bytes: Buffer): string {
  return [0, 2, 4, 6, 8, 10, 12, 14].map((at) => bytes.readUInt16BE(at).toString(16)).join(":");
}

/** An address as Kubernetes writes it, in the spelling of {@link Packet}. */
export function captureSpelling(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}
