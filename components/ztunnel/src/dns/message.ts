/** DNS messages in and out (RFC 1035, RFC 6891). Bytes from outside are decoded here and nowhere else. */

import { type Ip, isIpv6 } from "@meltemi/model";
import packet from "dns-packet";

/** Largest message over TCP (RFC 1035 §4.2.2), and so the most that is ever read. */
const MAX_MESSAGE_BYTES = 65_535;
/** What a client takes over UDP unless it says more. */
const MIN_UDP_BYTES = 512;
/** As Istio: the mesh's addresses change slowly, yet a client should notice within half a minute. */
const TTL_SECONDS = 30;

export interface DnsQuery {
  readonly id: number;
  /** Lower case, no trailing dot. */
  readonly name: string;
  /** The name as the client wrote it. */
  readonly rawName: string;
  readonly type: packet.RecordType;
  readonly recursionDesired: boolean;
  /** UDP size that the client takes; undefined when it sent no EDNS. */
  readonly ednsBytes: number | undefined;
}

export type ReadQuery =
  | { readonly kind: "query"; readonly query: DnsQuery }
  /** Nothing to answer: no header, or itself an answer. */
  | { readonly kind: "ignore" }
  | { readonly kind: "bad"; readonly id: number; readonly code: "FORMERR" | "NOTIMP" };

const HEADER_BYTES = 12;
const RESPONSE_BIT = 0x8000;
const OPCODE_MASK = 0x7800;

/** Reads a query of one question; more of them nobody sends and no server answers. */
export function readQuery(bytes: Uint8Array): ReadQuery {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_MESSAGE_BYTES) return { kind: "ignore" };
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = view.readUInt16BE(0);
  const flags = view.readUInt16BE(2);
  if ((flags & RESPONSE_BIT) !== 0) return { kind: "ignore" };
  if ((flags & OPCODE_MASK) !== 0) return { kind: "bad", id, code: "NOTIMP" };
  if (view.readUInt16BE(4) !== 1) return { kind: "bad", id, code: "FORMERR" };
  const decoded = tryDecode(view);
  const question = decoded?.questions?.[0];
  if (decoded === undefined || question === undefined) return { kind: "bad", id, code: "FORMERR" };
  const edns = decoded.additionals?.find((record) => record.type === "OPT");
  return {
    kind: "query",
    query: {
      id,
      name: question.name.toLowerCase().replace(/\.$/, ""),
      rawName: question.name,
      type: question.type,
      recursionDesired: (flags & packet.RECURSION_DESIRED) !== 0,
      ednsBytes: edns?.type === "OPT" ? edns.udpPayloadSize : undefined,
    },
  };
}

function tryDecode(view: Buffer): packet.DecodedPacket | undefined {
  try {
    return packet.decode(view);
  } catch {
    // The decoder throws range and type errors of many kinds; all of them mean that the bytes are no message.
    return undefined;
  }
}

/** The most bytes that an answer to this query may have. */
export function answerLimit(query: DnsQuery, transport: "udp" | "tcp"): number {
  if (transport === "tcp") return MAX_MESSAGE_BYTES;
  return Math.min(Math.max(MIN_UDP_BYTES, query.ednsBytes ?? 0), MAX_UDP_BYTES);
}

/** Beyond this, answers over UDP are fragmented and get lost; a client that wants more asks over TCP. */
const MAX_UDP_BYTES = 4096;

/** An authoritative answer. Addresses that do not fit are left out, and the truncation bit says so. */
export function encodeAnswer(
  query: DnsQuery,
  answeredName: string,
  addresses: readonly Ip[],
  limitBytes: number,
): Uint8Array {
  for (let count = addresses.length; ; count = Math.floor(count / 2)) {
    const truncated = count < addresses.length;
    const bytes = encode(query, answers(query, answeredName, addresses.slice(0, count)), truncated);
    if (bytes.length <= limitBytes || count === 0) return bytes;
  }
}

function answers(query: DnsQuery, answeredName: string, addresses: readonly Ip[]): packet.Answer[] {
  const records: packet.Answer[] = [];
  if (answeredName !== query.name)
    records.push({ type: "CNAME", name: query.rawName, ttl: TTL_SECONDS, data: answeredName });
  const name = answeredName === query.name ? query.rawName : answeredName;
  for (const address of addresses)
    records.push({ type: isIpv6(address) ? "AAAA" : "A", name, ttl: TTL_SECONDS, data: address });
  return records;
}

function encode(query: DnsQuery, records: packet.Answer[], truncated: boolean): Uint8Array {
  return packet.encode({
    type: "response",
    id: query.id,
    flags:
      packet.AUTHORITATIVE_ANSWER |
      packet.RECURSION_AVAILABLE |
      (query.recursionDesired ? packet.RECURSION_DESIRED : 0) |
      (truncated ? packet.TRUNCATED_RESPONSE : 0),
    questions: [{ type: query.type, name: query.rawName }],
    answers: records,
    additionals: query.ednsBytes === undefined ? [] : [ednsRecord(query.ednsBytes)],
  });
}

function ednsRecord(clientBytes: number): packet.Answer {
  const udpPayloadSize = Math.max(MIN_UDP_BYTES, clientBytes);
  return {
    type: "OPT",
    name: ".",
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}

const ERROR_CODES = { FORMERR: 1, SERVFAIL: 2, NOTIMP: 4, REFUSED: 5 } as const;
export type DnsErrorCode = keyof typeof ERROR_CODES;

/** An error to a query, with its question when there is one. */
export function encodeError(id: number, code: DnsErrorCode, query?: DnsQuery): Uint8Array {
  return packet.encode({
    type: "response",
    id,
    flags:
      packet.RECURSION_AVAILABLE |
      (query?.recursionDesired === true ? packet.RECURSION_DESIRED : 0) |
      ERROR_CODES[code],
    questions: query === undefined ? [] : [{ type: query.type, name: query.rawName }],
  });
}

/** True when `bytes` are an answer to the message that was sent with `id` and asked `query`. */
export function isAnswerTo(bytes: Uint8Array, id: number, query: DnsQuery): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.readUInt16BE(0) !== id || (view.readUInt16BE(2) & RESPONSE_BIT) === 0) return false;
  // Some servers leave the question out of an error.
  if (view.readUInt16BE(4) === 0) return true;
  const question = tryDecode(view)?.questions?.[0];
  return question?.type === query.type && question.name.toLowerCase() === query.rawName.toLowerCase();
}

/** A copy with another id. */
export function withId(bytes: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
}
