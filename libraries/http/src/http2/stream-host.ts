import type { HttpFault } from "../exchange.ts";
import type { HpackEncoder } from "../hpack/encoder.ts";
import type { Sender } from "./send-scheduler.ts";
import type { Http2Stream } from "./stream.ts";

/** What a stream asks of its connection. */
export interface StreamHost {
  /** Blocks are sent in the order in which they are encoded. */
  readonly encoder: HpackEncoder;
  /** Frames as much of `chunk` as windows permit; returns how much. */
  sendNow(stream: Sender, chunk: Uint8Array): number;
  /** The connection has enough to send. */
  readonly full: boolean;
  /** Registers a stream whose bytes wait, or that waits for room. */
  wait(stream: Sender): void;
  sendEnd(stream: Sender): void;
  /** `block` is what the encoder has just finished. */
  sendBlock(stream: Http2Stream, block: Uint8Array, endStream: boolean): void;
  sendReset(stream: Http2Stream, code: number): void;
  /** Received bytes were consumed: `streamCredit` goes to the stream's window when not 0, `bytes` to the connection's. */
  consumed(stream: Http2Stream, bytes: number, streamCredit: number): void;
  /** Calls the stream's `settle` soon, outside of whatever runs now. */
  settleSoon(stream: Http2Stream): void;
  /** Neither side will send on this stream again. */
  release(stream: Http2Stream): void;
}

/** How a stream took a block of header fields. */
export type HeadVerdict =
  | "ok"
  /** The stream was refused or reset for it, which the peer may not cause without end. */
  | "refused"
  /** It meant nothing, which is cheap, but not without end either. */
  | "noise";

export const CONNECTION_CLOSED: HttpFault = { kind: "reset", detail: "connection closed" };
