/**
 * What both ends of HTTP/1 have in common: bytes come in, are used as far as they can be now, and the rest waits here, never more
 * than one read beyond what is being waited for; then the peer is held back.
 */

import type { ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import { type Clock, describeError } from "@meltemi/runtime";
import { Deadline } from "./deadline.ts";
import { HeadEnd } from "./head-end.ts";
import { Input } from "./input.ts";
import { Output } from "./output.ts";

export interface Http1ConnectionDeps {
  readonly clock: Clock;
  /** This program, or a handler or receiver given here, threw or broke the rules of HTTP; the connection was cut. */
  readonly onInternalError: (error: unknown) => void;
}

export abstract class Http1Connection implements ByteConsumer {
  readonly output: Output;
  protected readonly channel: ByteChannel;
  protected readonly deps: Http1ConnectionDeps;
  protected readonly input: Input = new Input();
  protected readonly headEnd: HeadEnd = new HeadEnd();
  protected readonly deadline: Deadline;
  protected peerEnded = false;
  /** The channel is gone, or given up. */
  protected gone = false;
  protected channelPaused = false;
  #advancing = false;
  #advanceScheduled = false;

  constructor(channel: ByteChannel, deps: Http1ConnectionDeps) {
    this.channel = channel;
    this.deps = deps;
    this.output = new Output(channel);
    this.deadline = new Deadline(deps.clock, () => this.onDeadline());
  }

  /** Uses some of the input. True when something was done, so that there may be more to do. */
  protected abstract read(): boolean;
  /** The peer finished, and all that could be used of its bytes was used. */
  protected abstract onPeerEnd(): void;
  /** What lies in the input cannot be used now, or nothing more is wanted. */
  protected abstract isHolding(): boolean;
  protected abstract onWritable(): void;
  protected abstract onDeadline(): void;
  /** Forgets the exchange that runs, after telling it why unless there is no reason. */
  protected abstract forget(why: string | undefined): void;
  /** The last word to the owner. */
  protected abstract onGone(): void;

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.gone) return;
    this.input.add(chunk, lent);
    this.#advance();
  }

  onEnd(): void {
    this.peerEnded = true;
    this.#advance();
  }

  onDrain(): void {
    this.output.onDrain();
    try {
      this.onWritable();
    } catch (error) {
      this.onInternalError(error);
    }
    if (this.channelPaused) this.onReady();
  }

  onClosed(): void {
    this.#onLost("the peer closed the connection");
  }

  onFault(fault: ChannelFault): void {
    this.#onLost(fault.kind === "reset" ? "the peer reset the connection" : fault.detail);
  }

  /** There may be more to do with the input; done after what is being done now. */
  onReady(): void {
    if (this.#advancing || this.#advanceScheduled) return;
    this.#advanceScheduled = true;
    process.nextTick(advanceLater, this);
  }

  /** Ends the connection at once. The exchange is not told. */
  breakOff(): void {
    if (this.gone) return;
    this.channel.abort("other-side-failed");
    this.#end(undefined);
  }

  onInternalError(error: unknown): void {
    if (!this.gone) this.channel.abort("other-side-failed");
    this.#end(`internal error: ${describeError(error)}`);
    this.deps.onInternalError(error);
  }

  advanceLater(): void {
    this.#advanceScheduled = false;
    this.#advance();
  }

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (!this.gone && this.read());
      if (this.peerEnded && !this.gone) this.onPeerEnd();
    } catch (error) {
      this.onInternalError(error);
    }
    this.#advancing = false;
    this.input.settle();
    this.#holdBack();
  }

  #holdBack(): void {
    if (this.gone || this.isHolding() === this.channelPaused) return;
    this.channelPaused = !this.channelPaused;
    if (this.channelPaused) this.channel.pause();
    else this.channel.resume();
  }

  #onLost(why: string): void {
    if (!this.gone) this.#end(why);
  }

  #end(why: string | undefined): void {
    if (this.gone) return;
    this.gone = true;
    this.forget(why);
    this.deadline.stop();
    this.output.discard();
    this.input.clear();
    // Whoever is told may be in the middle of a call to us.
    process.nextTick(tellGone, this);
  }

  tellGone(): void {
    try {
      this.onGone();
    } catch (error) {
      this.deps.onInternalError(error);
    }
  }
}

const advanceLater = (connection: Http1Connection): void => connection.advanceLater();
const tellGone = (connection: Http1Connection): void => connection.tellGone();
