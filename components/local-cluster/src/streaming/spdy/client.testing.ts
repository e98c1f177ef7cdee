/** The client's side of SPDY/3 as far as tests need it: opens streams and reads what comes, frame by frame. */

import type { Duplex } from "node:stream";
import { createFrameDecoder, dataHead, resetFrame, type SpdyFrame } from "./frames.ts";
import { createHeaderCompression } from "./header-compression.ts";

export interface TestClient {
  open(streamId: number, headers: Readonly<Record<string, string>>): Promise<void>;
  data(streamId: number, text: string, isLast?: boolean): void;
  reset(streamId: number): void;
  /** Bytes as they are. */
  raw(bytes: Buffer): void;
  /** Resolves once the server has sent a frame like this, now or later. */
  until(wanted: (frame: SpdyFrame) => boolean): Promise<SpdyFrame>;
  /** What came on a stream so far. */
  text(streamId: number): string;
}

export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers);
  const pieces = [number(entries.length)];
  for (const word of entries.flat()) pieces.push(number(Buffer.byteLength(word)), Buffer.from(word));
  return Buffer.concat(pieces);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function synStream(streamId: number, block: Buffer, isLast = false): Buffer {
  const head = Buffer.alloc(18);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt8(isLast ? 1 : 0, 4);
  head.writeUIntBE(10 + block.length, 5, 3);
  head.writeUInt32BE(streamId, 8);
  return Buffer.concat([head, block]);
}

export function createTestClient(transport: Duplex): TestClient {
  const compression = createHeaderCompression();
  const decoder = createFrameDecoder();
  const frames: SpdyFrame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let changed = Promise.withResolvers<void>();
  transport.on("error", () => {});
  transport.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let taken = decoder.take(rest); taken.kind === "ok"; taken = decoder.take(rest)) {
      rest = rest.subarray(taken.used);
      frames.push(taken.frame);
    }
    changed.resolve();
    changed = Promise.withResolvers();
  });
  return {
    async open(streamId, headers) {
      transport.write(synStream(streamId, await compression.compress(headerBlock(headers))));
    },
    data(streamId, text, isLast = false) {
      transport.write(
        Buffer.concat([dataHead(streamId, Buffer.byteLength(text), isLast), Buffer.from(text)]),
      );
    },
    reset: (streamId) => void transport.write(resetFrame(streamId, 5)),
    raw: (bytes) => void transport.write(bytes),
    async until(wanted) {
      for (;;) {
        const found = frames.find(wanted);
        if (found !== undefined) return found;
        await changed.promise;
      }
    },
    text: (streamId) =>
      frames
        .filter((frame) => frame.kind === "data" && frame.streamId === streamId)
        .map((frame) => (frame.kind === "data" ? frame.bytes.toString() : ""))
        .join(""),
  };
}
