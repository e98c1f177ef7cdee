/** What a complete header block means: a request, an answer, trailers, or a fault (RFC 9113 §8.1, §8.3, §8.5). */

import type { HeaderFields } from "../headers.ts";
import { HpackDecoder } from "../hpack/decoder.ts";
import { DEFAULT_TABLE_BYTES } from "../hpack/static-table.ts";
import { type ConnectionError, connectionError, ErrorCode } from "./constants.ts";
import type { FloodKind } from "./flood-guard.ts";
import type { Assembled } from "./header-assembly.ts";
import { readRequestHead, readResponseHead, trailerFault } from "./header-rules.ts";
import type { ReceiverHost } from "./receiver-host.ts";
import type { Http2Stream } from "./stream.ts";

type Fault = ConnectionError | undefined;

export class HeadReceiver {
  readonly #connection: ReceiverHost;
  readonly #count: (kind: FloodKind) => Fault;
  readonly #decoder = new HpackDecoder(DEFAULT_TABLE_BYTES);

  constructor(connection: ReceiverHost, count: (kind: FloodKind) => Fault) {
    this.#connection = connection;
    this.#count = count;
  }

  receive(result: Assembled, nowMs: number): Fault {
    if (result.kind === "more") return undefined;
    if (result.kind === "bad") return result.error;
    const connection = this.#connection;
    const decoded = this.#decoder.decode(result.block, connection.options.maxHeaderListBytes);
    if (decoded.kind === "bad") return connectionError(ErrorCode.compressionError, decoded.why);
    const stream = connection.streams.get(result.streamId);
    if (stream?.headReceived) return this.#trailers(stream, decoded.fields, result.endStream);
    if (connection.role === "client")
      return this.#response(stream, result.streamId, decoded, result.endStream);
    return this.#request(result.streamId, decoded, result.endStream, nowMs);
  }

  #request(
    streamId: number,
    list: { fields: HeaderFields; oversized: boolean },
    endStream: boolean,
    nowMs: number,
  ): Fault {
    const connection = this.#connection;
    if (streamId % 2 === 0)
      return connectionError(ErrorCode.protocolError, `HEADERS on stream ${streamId} of a client`);
    if (connection.isIgnored(streamId)) return this.#count("noise");
    if (!connection.isIdle(streamId)) return this.#notOpen(streamId);
    connection.lastPeerStreamId = streamId;
    if (connection.streams.size >= connection.options.maxStreams) {
      connection.rememberReset(streamId);
      connection.writer.rstStream(streamId, ErrorCode.refusedStream);
      return this.#count("refusedStream");
    }
    const stream = connection.addStream(streamId);
    stream.headReceived = true;
    stream.requestedAtMs = nowMs;
    if (endStream) stream.onRemoteEnd();
    if (list.oversized) {
      stream.respond(431, [], true);
      return this.#count("refusedStream");
    }
    const head = readRequestHead(list.fields);
    if (head.kind === "connect") {
      connection.events.onRequest(stream, head.authority, head.headers);
      return undefined;
    }
    if (head.kind === "not-connect") stream.respond(400, [], true);
    else stream.reset(ErrorCode.protocolError);
    return this.#count("refusedStream");
  }

  #response(
    stream: Http2Stream | undefined,
    streamId: number,
    list: { fields: HeaderFields; oversized: boolean },
    endStream: boolean,
  ): Fault {
    if (stream === undefined) return this.#notOpen(streamId);
    const head = readResponseHead(list.fields);
    if (head.kind === "informational" && !endStream && !list.oversized) return this.#count("noise");
    if (head.kind !== "final" || list.oversized) {
      stream.failWith(ErrorCode.protocolError);
      return undefined;
    }
    stream.headReceived = true;
    const watcher = stream.watcher;
    stream.watcher = undefined;
    // First the answer, then the end: whoever waits for the answer opens the channel.
    watcher?.onResponse(head.status, head.headers);
    if (endStream && !stream.gone) stream.onRemoteEnd();
    return undefined;
  }

  #trailers(stream: Http2Stream, fields: HeaderFields, endStream: boolean): Fault {
    if (stream.remoteEnded) stream.failWith(ErrorCode.streamClosed);
    else if (!endStream || trailerFault(fields) !== undefined) stream.failWith(ErrorCode.protocolError);
    else stream.onRemoteEnd();
    return undefined;
  }

  #notOpen(streamId: number): Fault {
    return closedStreamFault(this.#connection, "HEADERS", streamId) ?? this.#count("noise");
  }
}

/** Frames on a stream that is not open: late ones are thrown away (undefined), others are a violation (RFC 9113 §5.1). */
export function closedStreamFault(connection: ReceiverHost, what: string, streamId: number): Fault {
  if (connection.wasReset(streamId)) return undefined;
  return connection.isIdle(streamId)
    ? connectionError(ErrorCode.protocolError, `${what} on idle stream ${streamId}`)
    : connectionError(ErrorCode.streamClosed, `${what} on closed stream ${streamId}`);
}
