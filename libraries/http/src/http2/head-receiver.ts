/** Which stream a complete header block belongs to, and whether it may come there (RFC 9113 §5.1, §8.1). */
import { HpackDecoder } from "../hpack/decoder.ts";
import { DEFAULT_TABLE_BYTES } from "../hpack/static-table.ts";
import { type ConnectionError, connectionError, ErrorCode } from "./constants.ts";
import type { FloodKind } from "./flood-guard.ts";
import type { Assembled } from "./header-assembly.ts";
import type { ReceiverHost } from "./receiver-host.ts";
import type { Http2Stream } from "./stream.ts";

type Fault = ConnectionError | undefined;

export class HeadReceiver {
  readonly #connection: ReceiverHost;
  readonly #count: (kind: FloodKind) => Fault;
  readonly #decoder: HpackDecoder;

  constructor(connection: ReceiverHost, count: (kind: FloodKind) => Fault) {
    this.#connection = connection;
    this.#count = count;
    this.#decoder = new HpackDecoder(DEFAULT_TABLE_BYTES, connection.options);
  }

  receive(result: Assembled, nowMs: number): Fault {
    if (result.kind === "more") return undefined;
    if (result.kind === "bad") return result.error;
    const decoder = this.#decoder;
    const why = decoder.decode(result.block);
    if (why !== undefined) return connectionError(ErrorCode.compressionError, why);
    const fault = this.#dispatch(result.streamId, result.endStream, nowMs);
    // An idle connection keeps nobody's headers.
    decoder.fields.length = 0;
    return fault;
  }

  #dispatch(streamId: number, endStream: boolean, nowMs: number): Fault {
    const connection = this.#connection;
    const stream = connection.streams.get(streamId);
    if (stream?.headReceived) return this.#trailers(stream, endStream);
    if (stream !== undefined) return this.#head(stream, endStream);
    if (connection.role === "client") return this.#notOpen(streamId);
    if (streamId % 2 === 0)
      return connectionError(ErrorCode.protocolError, `HEADERS on stream ${streamId} of a client`);
    if (connection.numbers.isIgnored(streamId)) return this.#count("noise");
    if (!connection.numbers.isIdle(streamId)) return this.#notOpen(streamId);
    if (connection.streams.size >= connection.options.maxStreams) {
      connection.refuseStream(streamId);
      return this.#count("refusedStream");
    }
    return this.#head(connection.acceptStream(streamId, nowMs), endStream);
  }

  #head(stream: Http2Stream, endStream: boolean): Fault {
    const verdict = stream.onHead(this.#decoder.fields, this.#decoder.oversized, endStream);
    if (verdict === "ok") return undefined;
    return this.#count(verdict === "noise" ? "noise" : "refusedStream");
  }

  #trailers(stream: Http2Stream, endStream: boolean): Fault {
    if (stream.remoteEnded) stream.failWith(ErrorCode.streamClosed, "HEADERS after END_STREAM");
    else if (!endStream) stream.failWith(ErrorCode.protocolError, "trailers without END_STREAM");
    else if (stream.onTrailers(this.#decoder.fields, this.#decoder.oversized)) return undefined;
    return this.#count("refusedStream");
  }

  #notOpen(streamId: number): Fault {
    return closedStreamFault(this.#connection, "HEADERS", streamId) ?? this.#count("noise");
  }
}

/** Frames on a stream that is not open: late ones are thrown away (undefined), others are a violation (RFC 9113 §5.1). */
export function closedStreamFault(connection: ReceiverHost, what: string, streamId: number): Fault {
  if (connection.numbers.wasReset(streamId)) return undefined;
  return connection.numbers.isIdle(streamId)
    ? connectionError(ErrorCode.protocolError, `${what} on idle stream ${streamId}`)
    : connectionError(ErrorCode.streamClosed, `${what} on closed stream ${streamId}`);
}
