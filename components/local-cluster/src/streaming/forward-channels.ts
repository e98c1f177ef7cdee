/**
 * Forwarded ports over a WebSocket of channels (v4.channel.k8s.io), as browsers and this project's own client ask for them: for
 * each port a channel of data and one of errors, both begun by the port's number. No half-close: a close ends both directions.
 */

import { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import type { WebSocket } from "ws";
import { type ForwardedPod, forwardPort } from "./forward-port.ts";

export type ForwardRequestResult =
  | { readonly kind: "ok"; readonly ports: readonly number[] }
  | { readonly kind: "bad"; readonly why: string };

/** Each is a connection; a channel's number is a byte, of which 255 closes. */
const MAX_PORTS = 64;

/** Reads the query of `…/pods/<pod>/portforward`. */
export function readForwardRequest(query: URLSearchParams): ForwardRequestResult {
  const words = query.getAll("ports").flatMap((value) => value.split(","));
  if (words.length === 0) return { kind: "bad", why: 'query parameter "ports" is required' };
  if (words.length > MAX_PORTS)
    return { kind: "bad", why: `expected at most ${MAX_PORTS} ports, got ${words.length}` };
  const wrong = words.find((word) => !/^\d{1,5}$/.test(word) || Number(word) < 1 || Number(word) > 65_535);
  if (wrong !== undefined)
    return { kind: "bad", why: `unable to parse ${JSON.stringify(wrong.slice(0, 40))} as a port` };
  return { kind: "ok", ports: words.map(Number) };
}

/** Resolves when every port's connection is over. */
export async function forwardOverChannels(
  socket: WebSocket,
  pod: ForwardedPod,
  ports: readonly number[],
): Promise<void> {
  const full = new Set<ChannelStream>();
  const connections = ports.map((_, index) => new ChannelStream(socket, 2 * index, full));
  socket.on("message", (message, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(message)) return;
    const channel = message[0] ?? -1;
    const connection = channel % 2 === 0 ? connections[channel / 2] : undefined;
    if (connection === undefined) socket.close(1003, `expected a channel of data, got ${channel}`);
    else connection.receive(message.subarray(1));
  });
  socket.on("close", () => {
    for (const connection of connections) connection.destroy();
  });
  // The close event follows.
  socket.on("error", () => {});
  await Promise.all(
    ports.map(async (port, index) => {
      const number = Buffer.alloc(2);
      number.writeUInt16LE(port);
      const errors = new ChannelStream(socket, 2 * index + 1, full);
      const data = connections[index];
      if (data === undefined) return;
      data.write(number);
      errors.write(number);
      await forwardPort(pod, port, data, errors);
      // What was said last is sent before the close.
      await finished(errors, { readable: false }).catch(() => undefined);
    }),
  );
  socket.close(1000);
}

class ChannelStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #channel: number;
  /** Streams of the socket that hold as much as they may: while there is one, nothing more is read. */
  readonly #full: Set<ChannelStream>;

  constructor(socket: WebSocket, channel: number, full: Set<ChannelStream>) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#channel = channel;
    this.#full = full;
    this.on("error", () => {});
  }

  receive(bytes: Buffer): void {
    if (bytes.length === 0 || this.destroyed || this.push(bytes)) return;
    this.#full.add(this);
    this.#socket.pause();
  }

  override _read(): void {
    this.#full.delete(this);
    if (this.#full.size === 0) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) done();
    else this.#socket.send(Buffer.concat([Buffer.of(this.#channel), chunk]), () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    // The port's program has said everything: this protocol knows no other end than the end.
    if (!this.readableEnded) this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this._read();
    done(error);
  }
}
