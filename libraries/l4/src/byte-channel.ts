/**
 * A two-way stream of bytes with explicit back-pressure, half-close and abort: what a TCP connection and an HBONE stream
 * have in common. Both ends speak through one interface each way, so that a relay between them needs no closures.
 *
 * Rules that every implementation keeps:
 * - nothing is delivered before {@link ByteChannel.open}, and no callback runs inside it;
 * - the two directions are independent: `onEnd` ends reading only, `endWrite` ends writing only;
 * - after `onFault`, or after `abort`, there is no further callback.
 */

/** Why this side tears a channel down. The peer sees a reset, never a clean end. */
export type AbortReason =
  /** The channel on the other side of a relay broke. */
  | "other-side-failed"
  /** A policy no longer allows the connection. */
  | "policy"
  /** The process or the pod ends and the drain deadline has passed. */
  | "drain"
  /** No byte either way for the permitted time. */
  | "idle"
  /** One direction was finished and the other stayed silent for the permitted time. */
  | "half-open"
  /** A named bound was exceeded. */
  | "limit";

/** How a channel broke without this side's doing. */
export type ChannelFault =
  /** The peer reset this stream: TCP RST, or RST_STREAM with this HTTP/2 error code. */
  | { readonly kind: "reset"; readonly http2Code?: number }
  /** What lies beneath broke: network error, TLS alert, protocol violation, keepalive timeout. */
  | { readonly kind: "broken"; readonly detail: string };

/** Receives what a channel delivers. Calls come one at a time, in order. */
export interface ByteConsumer {
  /**
   * Bytes arrived. With `lent`, they are a view of a shared buffer that is overwritten once this call returns: copy what
   * must outlive it. Otherwise they belong to the consumer.
   */
  onData(chunk: Uint8Array, lent: boolean): void;
  /** The peer will send no more (FIN, END_STREAM). Writing remains possible. */
  onEnd(): void;
  /** Writing may go on after {@link ByteChannel.write} returned false. */
  onDrain(): void;
  /** Both directions are finished, and all that was written was handed to the kernel or the connection. The last call. */
  onClosed(): void;
  /** The channel broke; the last call. Bytes already delivered are true, those in buffers are gone. */
  onFault(fault: ChannelFault): void;
}

export interface ByteChannel {
  /** Starts delivery to `consumer`. Called once; until then the peer is held back by flow control. */
  open(consumer: ByteConsumer): void;
  /** Stops `onData`; the peer is held back once the bounded receive buffers are full. */
  pause(): void;
  resume(): void;
  /**
   * Queues bytes for the peer. False asks the caller to stop until `onDrain`; the bytes were taken all the same.
   * With `lent` the channel copies what it cannot hand on within the call; otherwise it may keep the view, and the caller
   * must not change it.
   */
  write(chunk: Uint8Array, lent: boolean): boolean;
  /** Finishes writing after what is queued (FIN, END_STREAM). */
  endWrite(): void;
  /** Tears both directions down at once, with a reset towards the peer. Does nothing on a finished channel. */
  abort(reason: AbortReason): void;
  /** Bytes held in user space by this channel, both directions. Bounded; for tests, metrics and admin dumps. */
  readonly bufferedBytes: number;
}
