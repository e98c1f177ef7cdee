/** One DNS query in bytes to its answer in bytes, or the decision to ask upstream. Pure; the codec is dns-packet's. */

import type { Answer, DecodedPacket, Packet, Question } from "dns-packet";
import * as dns from "dns-packet";
import { type ClusterView, lookupName } from "./records.ts";

export type Response =
  | { readonly kind: "answer"; readonly bytes: Buffer }
  /** Pass the very bytes on. */
  | { readonly kind: "forward" }
  /** Not a query: silence, so that nobody can be made to answer answers. */
  | { readonly kind: "ignore" };

/** As CoreDNS's kubernetes plugin: endpoints change faster than caches like. */
const TTL_SECONDS = 5;
/** Without EDNS a UDP answer has 512 bytes (RFC 1035 §4.2.1); with it we go up to what crosses any link unfragmented. */
const PLAIN_UDP_BYTES = 512;
const MAX_UDP_BYTES = 1232;
const HEADER_BYTES = 12;

const RCODE = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;
/** dns-packet exports none of its flags by name for rcodes; AA is bit 10, TC bit 9, RA bit 7 (RFC 1035 §4.1.1). */
const FLAG = {
  authoritative: 1 << 10,
  truncated: 1 << 9,
  recursionAvailable: 1 << 7,
  recursionDesired: 1 << 8,
};

export function respond(view: ClusterView, query: Buffer, transport: "udp" | "tcp"): Response {
  if (query.length < HEADER_BYTES || (query.readUInt8(2) & 0x80) !== 0) return { kind: "ignore" };
  const packet = decode(query);
  if (packet === undefined) return { kind: "answer", bytes: bareError(query, RCODE.formatError) };
  if (((query.readUInt8(2) >> 3) & 0x0f) !== 0)
    return { kind: "answer", bytes: bareError(query, RCODE.notImplemented) };
  const question = packet.questions?.[0];
  if (question === undefined || packet.questions?.length !== 1)
    return { kind: "answer", bytes: bareError(query, RCODE.formatError) };
  const found = lookupName(view, question.name);
  if (found.kind === "foreign") return { kind: "forward" };
  const answers = found.kind === "absent" ? [] : answersTo(question, found);
  const flags = FLAG.authoritative | (found.kind === "absent" ? RCODE.noSuchName : RCODE.ok);
  const limit = transport === "tcp" ? 65_535 : udpLimit(packet);
  return { kind: "answer", bytes: encode(packet, question, flags, answers, limit) };
}

/** SERVFAIL for a query that nobody upstream answered. */
export function serverFailure(query: Buffer): Buffer {
  return bareError(query, RCODE.serverFailure);
}

function answersTo(
  question: Question,
  found: Exclude<ReturnType<typeof lookupName>, { kind: "absent" | "foreign" }>,
): Answer[] {
  const base = { name: question.name, ttl: TTL_SECONDS };
  if (found.kind === "alias") return [{ ...base, type: "CNAME", data: found.target }];
  if (question.type === "A") return found.v4.map((data) => ({ ...base, type: "A", data }));
  if (question.type === "AAAA") return found.v6.map((data) => ({ ...base, type: "AAAA", data }));
  return [];
}

function encode(
  query: DecodedPacket,
  question: Question,
  flags: number,
  answers: Answer[],
  limit: number,
): Buffer {
  const desired = (query.flags ?? 0) & FLAG.recursionDesired;
  const packet: Packet = {
    id: query.id ?? 0,
    type: "response",
    flags: flags | FLAG.recursionAvailable | desired,
    questions: [question],
    answers,
  };
  const whole = dns.encode(packet);
  if (whole.length <= limit) return whole;
  // The client comes again over TCP (RFC 2181 §9: a truncated answer is not to be used).
  return dns.encode({ ...packet, flags: (packet.flags ?? 0) | FLAG.truncated, answers: [] });
}

function udpLimit(query: DecodedPacket): number {
  for (const extra of query.additionals ?? [])
    if (extra.type === "OPT")
      return Math.max(PLAIN_UDP_BYTES, Math.min(MAX_UDP_BYTES, extra.udpPayloadSize ?? PLAIN_UDP_BYTES));
  return PLAIN_UDP_BYTES;
}

function decode(query: Buffer): DecodedPacket | undefined {
  try {
    return dns.decode(query);
  } catch {
    return undefined;
  }
}

/** The query's id and opcode with an error code and no sections. */
function bareError(query: Buffer, code: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt8(0x80 | (query.readUInt8(2) & 0x79), 2);
  header.writeUInt8(0x80 | code, 3);
  return header;
}
