/** Looks at the first bytes of a channel and gives the channel on as if nobody had. */

import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import type { Clock, Timer } from "@meltemi/runtime";
import { type Sniffed, sniff, sniffWhole } from "./sniff.ts";

export type SniffResult =
  | Exclude<Sniffed, { readonly kind: "need" }>
  /** Nothing, or too little to tell, within the time: most likely the server is to speak first. */
  | { readonly kind: "timeout" };

export interface SniffOptions {
  /** Zero: wait as long as the client does (Istio's default). */
  readonly timeoutMs: number;
}

export interface SniffOwner {
  /** `channel` is to be opened by whoever speaks the protocol; until then the client is held back. */
  onSniffed(result: SniffResult, channel: ByteChannel): void;
  /** The channel broke before it said anything. */
  onGone(): void;
}

/** Opens `channel`. Exactly one of the owner's methods is called, unless the caller aborts the channel. */
export function sniffChannel(
  channel: ByteChannel,
  owner: SniffOwner,
  options: SniffOptions,
  deps: { readonly clock: Clock },
): void {
  new SniffingChannel(channel, owner, options, deps.clock);
}

class SniffingChannel implements ByteChannel, ByteConsumer {
  readonly #channel: ByteChannel;
  #owner: SniffOwner | undefined;
  #timer: Timer | undefined;
  #consumer: ByteConsumer | undefined;
  /** What came before the consumer; at most one read beyond what sniffing needs. */
  #held: Buffer = Buffer.alloc(0);
  #replayed = false;
  #paused = false;
  #ended = false;
  #fault: ChannelFault | undefined;

  constructor(channel: ByteChannel, owner: SniffOwner, options: SniffOptions, clock: Clock) {
    this.#channel = channel;
    this.#owner = owner;
    if (options.timeoutMs > 0)
      this.#timer = clock.after(options.timeoutMs, () => this.#decide({ kind: "timeout" }));
    channel.open(this);
  }

  // As the consumer of the channel beneath.

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.#replayed) {
      this.#consumer?.onData(chunk, lent);
      return;
    }
    this.#held = Buffer.concat([this.#held, chunk]);
    if (this.#owner === undefined) return;
    const sniffed = sniff(this.#held);
    if (sniffed.kind !== "need") this.#decide(sniffed);
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#replayed) this.#consumer?.onEnd();
    else if (this.#owner !== undefined) this.#decide(sniffWhole(this.#held));
  }

  onDrain(): void {
    this.#consumer?.onDrain();
  }

  onClosed(): void {
    this.#consumer?.onClosed();
  }

  onFault(fault: ChannelFault): void {
    this.#timer?.cancel();
    this.#fault = fault;
    const owner = this.#owner;
    this.#owner = undefined;
    if (owner !== undefined) owner.onGone();
    else if (this.#replayed) this.#consumer?.onFault(fault);
  }

  #decide(result: SniffResult): void {
    const owner = this.#owner;
    this.#timer?.cancel();
    this.#owner = undefined;
    if (!this.#ended) this.#channel.pause();
    owner?.onSniffed(result, this);
  }

  // As the channel of who speaks the protocol.

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    process.nextTick(replay, this);
  }

  replay(): void {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    this.#replayed = true;
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    if (held.length > 0) consumer.onData(held, false);
    if (this.#consumer === undefined) return;
    if (this.#fault !== undefined) consumer.onFault(this.#fault);
    else if (this.#ended) consumer.onEnd();
    else if (!this.#paused) this.#channel.resume();
  }

  pause(): void {
    this.#paused = true;
    if (this.#replayed) this.#channel.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#replayed) this.#channel.resume();
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    return this.#channel.write(chunk, lent);
  }

  endWrite(): void {
    this.#channel.endWrite();
  }

  abort(reason: AbortReason): void {
    this.#timer?.cancel();
    this.#owner = undefined;
    this.#consumer = undefined;
    this.#channel.abort(reason);
  }

  get bufferedBytes(): number {
    return this.#channel.bufferedBytes + this.#held.length;
  }
}

const replay = (channel: SniffingChannel): void => channel.replay();
