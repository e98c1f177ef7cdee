/** What the receiving half of a connection asks of the whole, and what the whole tells its owner. */
import type { ConnectionError } from "./constants.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { Http2Options } from "./options.ts";
import type { ReceiveWindow } from "./receive-window.ts";
import type { SendScheduler } from "./send-scheduler.ts";
import type { PeerSettings } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamHost } from "./stream-host.ts";
import type { StreamNumbers } from "./stream-numbers.ts";
import type { StreamTable } from "./stream-table.ts";

export type Http2Role = "client" | "server";

export interface ConnectionEvents {
  /** The peer begins a stream (server): makes its object, which will be given the head. */
  createStream(
    id: number,
    host: StreamHost,
    sendWindowBytes: number,
    receiveWindowBytes: number,
  ): Http2Stream;
  /** Bytes wait in the outbox. */
  onOutput(): void;
  /** The answer to a keepalive PING came. */
  onPong(): void;
  /** The number of streams, or of those that the peer permits, changed, or the peer said GOAWAY. */
  onCapacity(): void;
  /** The connection is over by a violation; GOAWAY is in the outbox. Streams have been told. */
  onFailed(error: ConnectionError): void;
  /** The user of a stream threw, outside of any call into this connection. */
  onInternalError(error: unknown): void;
}

/** A connection, as its receiving half knows it. */
export interface ReceiverHost {
  readonly role: Http2Role;
  readonly options: Http2Options;
  /** Nothing that comes now matters. */
  readonly closed: boolean;
  readonly streams: Pick<StreamTable, "get" | "size">;
  readonly numbers: StreamNumbers;
  readonly writer: FrameWriter;
  readonly scheduler: SendScheduler;
  /** Receive window of the whole connection. */
  readonly window: ReceiveWindow;
  readonly peer: PeerSettings;
  /** Takes in a stream that the peer begins (server). */
  acceptStream(id: number, nowMs: number): Http2Stream;
  /** Answers a stream that has no object with REFUSED_STREAM. */
  refuseStream(streamId: number): void;
  /** False when a stream's window would overflow. */
  applyPeerSettings(settings: PeerSettings): boolean;
  onPong(opaque: Uint8Array): void;
  /** Streams above `lastStreamId` were never looked at by the peer. */
  onPeerGoaway(lastStreamId: number, code: number): void;
}
