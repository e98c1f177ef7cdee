/**
 * The server's side of a SPDY/3 connection. The client opens streams; each is a Duplex that may be half-closed and reset.
 * No windows: Kubernetes' clients neither send nor heed WINDOW_UPDATE. A stream that nobody reads holds back the connection once
 * its own buffer is full, and writing waits for the transport, so that what may wait is bounded in both directions.
 */

import { Duplex } from "node:stream";
import { MeshError } from "@meltemi/runtime";
import {
  createFrameDecoder,
  dataHead,
  goAwayFrame,
  pingFrame,
  RESET_STATUS,
  replyFrame,
  resetFrame,
  type SpdyFrame,
} from "./frames.ts";
import { EMPTY_HEADER_BLOCK, parseHeaderBlock } from "./header-block.ts";
import { createHeaderCompression, type HeaderCompression } from "./header-compression.ts";

/** Of one stream, before the connection is held back: what a reader that works in bursts needs. */
const STREAM_BUFFER_BYTES = 256 * 1024;
/** Two for each forwarded connection: more than a browser opens at a time. */
const MAX_STREAMS = 256;

export interface SpdyStream extends Duplex {
  readonly streamId: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** `accept` returns why a stream is not wanted, or undefined. Called in the order of the streams, before their first byte. */
export type AcceptStream = (stream: SpdyStream) => string | undefined;

/** Serves `transport` until it ends, which ends every stream. Rejects with PROTOCOL_VIOLATION after what is not SPDY. */
export async function serveSpdy(transport: Duplex, accept: AcceptStream): Promise<void> {
  const connection = new Connection(transport, accept);
  try {
    await connection.run();
  } finally {
    connection.close();
  }
}

class Connection {
  readonly #transport: Duplex;
  readonly #accept: AcceptStream;
  readonly #compression: HeaderCompression = createHeaderCompression();
  readonly #streams = new Map<number, Stream>();
  #lastStreamId = 0;

  constructor(transport: Duplex, accept: AcceptStream) {
    this.#transport = transport;
    this.#accept = accept;
    // The loop that reads ends with it.
    transport.on("error", () => {});
  }

  async run(): Promise<void> {
    const decoder = createFrameDecoder();
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let taken = decoder.take(rest);
      for (; taken.kind === "ok"; taken = decoder.take(rest)) {
        rest = rest.subarray(taken.used);
        if (taken.frame.kind === "go-away") return;
        await this.#handle(taken.frame);
      }
      if (taken.kind === "bad") throw new MeshError("PROTOCOL_VIOLATION", `SPDY: ${taken.why}`);
    }
  }

  /** Nothing of it survives: a stream that was not finished ends with an error. */
  close(): void {
    this.#compression.close();
    for (const stream of this.#streams.values())
      stream.abandon(new MeshError("UNAVAILABLE", "the SPDY connection is closed"));
    this.#streams.clear();
    if (this.#transport.writable) this.#transport.end(goAwayFrame(this.#lastStreamId));
  }

  async #handle(frame: SpdyFrame): Promise<void> {
    switch (frame.kind) {
      case "syn-stream":
        return this.#open(frame);
      case "headers":
        await this.#compression.decompress(frame.headers);
        if (frame.isLast) this.#streams.get(frame.streamId)?.receiveEnd();
        return;
      case "reset":
        this.#streams.get(frame.streamId)?.receiveReset();
        return;
      case "ping":
        // Even numbers answer pings of ours, and there are none.
        if (frame.id % 2 === 1) await this.send(pingFrame(frame.id));
        return;
      case "data": {
        const stream = this.#streams.get(frame.streamId);
        if (frame.bytes.length > 0) await stream?.receive(frame.bytes);
        if (frame.isLast) stream?.receiveEnd();
        return;
      }
      case "go-away":
      case "ignored":
        return;
    }
  }

  async #open(frame: Extract<SpdyFrame, { kind: "syn-stream" }>): Promise<void> {
    const { streamId } = frame;
    const parsed = parseHeaderBlock(await this.#compression.decompress(frame.headers));
    if (parsed.kind === "bad") throw new MeshError("PROTOCOL_VIOLATION", `SPDY: ${parsed.why}`);
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId)
      throw new MeshError(
        "PROTOCOL_VIOLATION",
        `SPDY: expected an odd stream above ${this.#lastStreamId}, got ${streamId}`,
      );
    this.#lastStreamId = streamId;
    if (this.#streams.size >= MAX_STREAMS) return this.send(resetFrame(streamId, RESET_STATUS.refusedStream));
    const stream = new Stream(this, streamId, parsed.headers);
    if (this.#accept(stream) !== undefined) {
      stream.abandon();
      return this.send(resetFrame(streamId, RESET_STATUS.refusedStream));
    }
    this.#streams.set(streamId, stream);
    // Only then: whatever is written to the stream must follow the reply.
    await this.send(replyFrame(streamId, await this.#compression.compress(EMPTY_HEADER_BLOCK)));
    stream.replied();
    if (frame.isLast) stream.receiveEnd();
  }

  /** Resolves when the transport has taken it; never rejects: a transport that is gone is noticed by whoever reads. */
  send(...parts: readonly Buffer[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!this.#transport.writable) return Promise.resolve();
    this.#transport.cork();
    for (const [at, part] of parts.entries())
      this.#transport.write(part, at === parts.length - 1 ? () => resolve() : undefined);
    this.#transport.uncork();
    return promise;
  }

  forget(streamId: number): void {
    this.#streams.delete(streamId);
  }
}

class Stream extends Duplex implements SpdyStream {
  readonly streamId: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #connection: Connection;
  readonly #reply = Promise.withResolvers<void>();
  #roomWanted: PromiseWithResolvers<void> | undefined;
  #finished: "no" | "remotely" | "reset" = "no";

  constructor(connection: Connection, streamId: number, headers: ReadonlyMap<string, string>) {
    super({ allowHalfOpen: true, readableHighWaterMark: STREAM_BUFFER_BYTES });
    this.#connection = connection;
    this.streamId = streamId;
    this.headers = headers;
    // Whoever uses the stream listens, too; one that nobody uses yet must not end the process.
    this.on("error", () => {});
  }

  replied(): void {
    this.#reply.resolve();
  }

  /** Resolves when there is room for more. */
  receive(bytes: Buffer): Promise<void> | undefined {
    if (this.destroyed || this.#finished !== "no" || this.push(bytes)) return undefined;
    this.#roomWanted ??= Promise.withResolvers<void>();
    return this.#roomWanted.promise;
  }

  receiveEnd(): void {
    if (this.#finished !== "no") return;
    this.#finished = "remotely";
    this.push(null);
  }

  receiveReset(): void {
    this.abandon(new MeshError("UNAVAILABLE", "the client reset the stream"));
  }

  /** Ends it here, without a word to the client. */
  abandon(error?: MeshError): void {
    this.#finished = "reset";
    this.destroy(error);
  }

  override _read(): void {
    this.#roomWanted?.resolve();
    this.#roomWanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#reply.promise
      .then(() => this.#connection.send(dataHead(this.streamId, chunk.length, false), chunk))
      .then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#reply.promise
      .then(() => this.#connection.send(dataHead(this.streamId, 0, true)))
      .then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this._read();
    this.#connection.forget(this.streamId);
    const complete = this.#finished === "remotely" && this.writableFinished;
    if (this.#finished === "reset") this.#reply.resolve();
    else if (!complete)
      // Behind the reply: a client takes a reset before it for a refusal.
      void this.#reply.promise.then(() =>
        this.#connection.send(resetFrame(this.streamId, RESET_STATUS.cancel)),
      );
    this.#finished = "reset";
    done(error);
  }
}
