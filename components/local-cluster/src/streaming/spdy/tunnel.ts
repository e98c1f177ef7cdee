/** A byte stream inside a WebSocket's binary messages: how kubectl tunnels SPDY since 1.30 (`SPDY/3.1+portforward.k8s.io`). */

import { Duplex } from "node:stream";
import type { WebSocket } from "ws";

/** Pieces of one message; what every client takes. */
const PIECE_BYTES = 32 * 1024;

/** Ends with the WebSocket; destroying it cuts the connection. */
export function webSocketTunnel(socket: WebSocket): Duplex {
  const tunnel = new Duplex({
    allowHalfOpen: false,
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const isLast = at + PIECE_BYTES >= chunk.length;
        socket.send(chunk.subarray(at, at + PIECE_BYTES), isLast ? done : undefined);
      }
      if (chunk.length === 0) done();
    },
    final(done) {
      socket.close(1000);
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on("message", (message, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(message)) {
      socket.close(1003, "expected binary messages");
      return;
    }
    if (!tunnel.push(message)) socket.pause();
  });
  socket.on("close", () => tunnel.push(null));
  // The close event follows.
  socket.on("error", () => {});
  return tunnel;
}
