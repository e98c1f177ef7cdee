/** zlib over all header blocks of one direction of a SPDY/3 connection: each continues where the last ended. */

import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import { MeshError } from "@meltemi/runtime";
import { SPDY_DICTIONARY } from "./dictionary.ts";

export interface HeaderCompression {
  /** Calls follow one another: the next block is given when the last is there. Rejects with PROTOCOL_VIOLATION. */
  decompress(block: Buffer): Promise<Buffer>;
  compress(block: Buffer): Promise<Buffer>;
  close(): void;
}

/** A few hundred bytes compress to any size: what comes out is bounded, too. */
const MAX_BLOCK_BYTES = 64 * 1024;

export function createHeaderCompression(): HeaderCompression {
  const flush = constants.Z_SYNC_FLUSH;
  const inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush, chunkSize: 4096 });
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush, chunkSize: 4096 });
  return {
    decompress: (block) => pass(inflate, block),
    compress: (block) => pass(deflate, block),
    close() {
      inflate.destroy();
      deflate.destroy();
    },
  };
}

function pass(stream: Inflate | Deflate, block: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const finish = (): void => {
      stream.off("data", take).off("error", fail).off("close", closed);
    };
    const fail = (cause: Error): void => {
      finish();
      reject(new MeshError("PROTOCOL_VIOLATION", `SPDY headers: ${cause.message}`, { cause }));
    };
    const closed = (): void => fail(new Error("the connection was closed"));
    const take = (piece: Buffer): void => {
      bytes += piece.length;
      pieces.push(piece);
      if (bytes <= MAX_BLOCK_BYTES) return;
      fail(new Error(`expected at most ${MAX_BLOCK_BYTES} bytes`));
      // Late faults of a stream that is given up are nobody's.
      stream.on("error", () => {}).destroy();
    };
    stream.on("data", take).once("error", fail).once("close", closed);
    stream.write(block, (error) => {
      if (error != null) return;
      // What is not handed out yet: reading it calls `take`.
      while (stream.read() !== null) if (bytes > MAX_BLOCK_BYTES) return;
      if (bytes > MAX_BLOCK_BYTES) return;
      finish();
      resolve(Buffer.concat(pieces));
    });
  });
}
