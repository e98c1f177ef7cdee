/** Reads what tcpdump captured: which packets of the pods crossed, and whether their bytes are TLS. */

import { type Packet, readPacket } from "./packet.ts";
import { PROGRAM_PORTS } from "./steps/calls.ts";
import { HBONE_PORT, isTls, type Segment } from "./tls-stream.ts";

export interface Crossing {
  /** Packets from a pod to a pod, by `tcp/<server port>`, `udp/<server port>` or `ip/<protocol number>`. */
  readonly packets: ReadonlyMap<string, number>;
  /** Packets between a pod and something that is none, cluster DNS aside, described. */
  readonly elsewhere: readonly string[];
  /** New TCP connections from pod to pod on port 15008. */
  readonly tunnelsOpened: number;
  /** Every byte of every connection on port 15008 belongs to a TLS record; false when there is none. */
  readonly tls: boolean;
  /** All bytes captured, headers included. */
  readonly bytes: number;
  contains(text: string): boolean;
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const DNS_PORT = 53;

/** Reads a little-endian pcap file of Ethernet frames (the form tcpdump writes here). */
export function readCapture(file: Buffer, pods: ReadonlySet<string>): Crossing {
  const packets = new Map<string, number>();
  const elsewhere: string[] = [];
  const tunnels = new Map<string, Segment[]>();
  let tunnelsOpened = 0;
  for (const packet of packetsOf(file)) {
    const ends = [packet.source, packet.destination].filter((address) => pods.has(address)).length;
    if (ends === 1 && !isDns(packet)) elsewhere.push(describePacket(packet));
    if (ends !== 2) continue;
    const key = keyOf(packet);
    packets.set(key, (packets.get(key) ?? 0) + 1);
    if (key !== `tcp/${HBONE_PORT}`) continue;
    if (packet.opens) tunnelsOpened++;
    const flow = `${packet.source}:${packet.sourcePort} ${packet.destination}:${packet.destinationPort}`;
    const segments = tunnels.get(flow) ?? [];
    tunnels.set(flow, segments);
    if (packet.payload.length > 0) segments.push({ sequence: packet.sequence, payload: packet.payload });
  }
  const streams = [...tunnels.values()].filter((segments) => segments.length > 0);
  const tls = streams.length > 0 && streams.every(isTls);
  return {
    packets,
    elsewhere,
    tunnelsOpened,
    tls,
    bytes: file.length,
    contains: (text) => file.includes(text),
  };
}

function* packetsOf(file: Buffer): Generator<Packet> {
  let offset = PCAP_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= file.length) {
    const length = file.readUInt32LE(offset + 8);
    const start = offset + RECORD_HEADER_BYTES;
    const packet = readPacket(file.subarray(start, start + length));
    if (packet !== undefined) yield packet;
    offset = start + length;
  }
}

function isDns({ protocol, sourcePort, destinationPort }: Packet): boolean {
  return typeof protocol === "string" && (sourcePort === DNS_PORT || destinationPort === DNS_PORT);
}

/** By the port of the program that listens; of others by the lower, because the kernel gives clients high ones. */
function keyOf({ protocol, sourcePort, destinationPort }: Packet): string {
  if (typeof protocol === "number") return `ip/${protocol}`;
  const program = [sourcePort, destinationPort].find((port) => PROGRAM_PORTS.includes(port));
  return `${protocol}/${program ?? Math.min(sourcePort, destinationPort)}`;
}

function describePacket(packet: Packet): string {
  return `${packet.source} → ${packet.destination} ${keyOf(packet)}`;
}
