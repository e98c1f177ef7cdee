/** DNS by hand (RFC 1035 §4): questions from inside a pod over UDP and TCP, and a resolver for what the mesh does not know. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connectTcp, createUdpSocket, type NetworkNamespace } from "@meltemi/linux";
import type { MeshPod } from "./ztunnel-pod.fixture.ts";

const PATIENCE_MS = 5_000;
const TYPES = { A: 1, AAAA: 28 } as const;

export function question(name: string, type: keyof typeof TYPES): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const header = Buffer.from("123401000001000000000000", "hex");
  return Buffer.concat([header, ...labels, Buffer.of(0, 0, TYPES[type], 0, 1)]);
}

export interface DnsReply {
  readonly code: number;
  /** Addresses of the answer section, as hex. */
  readonly addresses: readonly string[];
}

/** Reads a reply whose names are compressed or end in a zero, which is every one here. */
function readReply(message: Buffer): DnsReply {
  const addresses: string[] = [];
  const skipName = (from: number): number => {
    let at = from;
    while (message[at] !== 0 && ((message[at] ?? 0) & 0xc0) !== 0xc0) at += 1 + (message[at] ?? 0);
    return message[at] === 0 ? at + 1 : at + 2;
  };
  let at = skipName(12) + 4;
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    at = skipName(at);
    const length = message.readUInt16BE(at + 8);
    addresses.push(message.toString("hex", at + 10, at + 10 + length));
    at += 10 + length;
  }
  return { code: (message[3] ?? 0) & 15, addresses };
}

export async function askUdp(
  netns: NetworkNamespace,
  server: string,
  message: Buffer,
): Promise<DnsReply & { readonly from: string }> {
  const v6 = server.includes(":");
  const socket = createSocket(v6 ? "udp6" : "udp4");
  try {
    socket.bind({ fd: createUdpSocket({ netns, address: { ip: v6 ? "::" : "0.0.0.0", port: 0 } }).fd });
    socket.send(message, 53, server);
    const [reply, from] = await once(socket, "message", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return { ...readReply(reply), from: from.address };
  } finally {
    socket.close();
  }
}

export async function askTcp(netns: NetworkNamespace, server: string, message: Buffer): Promise<DnsReply> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const socket = await connectTcp({ netns, destination: { ip: server, port: 53 } }, signal);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
  let reply = Buffer.alloc(0);
  for await (const chunk of socket) {
    reply = Buffer.concat([reply, chunk]);
    if (reply.length > 2 && reply.length >= 2 + reply.readUInt16BE(0)) break;
  }
  return readReply(reply.subarray(2));
}

/** Sends a datagram that nobody may answer. */
export async function sendUdp(netns: NetworkNamespace, server: string, message: Buffer): Promise<void> {
  const socket = createSocket("udp4");
  socket.bind({ fd: createUdpSocket({ netns, address: { ip: "0.0.0.0", port: 0 } }).fd });
  await new Promise((resolve) => socket.send(message, 53, server, resolve));
  socket.close();
}

/** Answers every A question over UDP and TCP with 203.0.113.7, in `pod`. */
export async function startResolver(pod: MeshPod): Promise<Disposable> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => socket.send(answerTo(query), from.port, from.address));
  socket.bind({ fd: createUdpSocket({ netns: pod.netns, address: { ip: "0.0.0.0", port: 53 } }).fd });
  await pod.serve(53, {
    handle: (connection) =>
      connection.on("data", (framed: Buffer) => {
        const answer = answerTo(framed.subarray(2));
        connection.end(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]));
      }),
  });
  return { [Symbol.dispose]: () => socket.close() };
}

function answerTo(query: Buffer): Buffer {
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 6);
  header.writeUInt32BE(0, 8);
  const end = query.indexOf(0, 12) + 5;
  const record = Buffer.from("c00c000100010000003c0004cb007107", "hex");
  return Buffer.concat([header, query.subarray(12, end), record]);
}
