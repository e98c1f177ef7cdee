/** WebSocket (RFC 6455), as much as an echo needs: text in single frames, close. The first message is the report's beginning. */

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { plainHeaders, type Server } from "./report.ts";

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const CLOSE = 8;
/** What fits the two forms of a length that are read here. */
const LONGEST_MESSAGE_BYTES = 65_535;

interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
  readonly used: number;
}

export function serveWebSocket({ identity }: Server, request: IncomingMessage, socket: Duplex): void {
  const key = request.headers["sec-websocket-key"];
  const accept = createHash("sha1").update(`${key}${MAGIC}`).digest("base64");
  socket.on("error", () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  send(socket, TEXT, Buffer.from(JSON.stringify({ ...identity, headers: plainHeaders(request.headers) })));
  let waiting: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (let frame = readFrame(waiting); frame !== undefined; frame = readFrame(waiting)) {
      waiting = waiting.subarray(frame.used);
      send(socket, frame.kind, frame.payload);
      if (frame.kind === CLOSE) return void socket.end();
    }
  });
}

function send(socket: Duplex, kind: number, payload: Buffer): void {
  const short = payload.length < 126;
  const head = Buffer.alloc(short ? 2 : 4);
  head.writeUInt8(0x80 | kind, 0);
  head.writeUInt8(short ? payload.length : 126, 1);
  if (!short) head.writeUInt16BE(payload.length, 2);
  socket.write(Buffer.concat([head, payload.subarray(0, LONGEST_MESSAGE_BYTES)]));
}

/** Frames of clients are masked. Undefined: more bytes are needed. */
function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const maskAt = short === 126 ? 4 : 2;
  if (bytes.length < maskAt + 4) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const payloadAt = maskAt + 4;
  if (bytes.length < payloadAt + length) return undefined;
  const mask = bytes.subarray(maskAt, payloadAt);
  const payload = bytes.subarray(payloadAt, payloadAt + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return { kind: bytes.readUInt8(0) & 0x0f, payload: Buffer.from(payload), used: payloadAt + length };
}
