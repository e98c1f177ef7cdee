/** Copies bytes both ways between two channels until both directions have ended, one side broke, or somebody cut it. */
import { type Clock, endProcess, type OnInternalError, type Timer } from "@meltemi/runtime";
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";

/** How a relayed connection ended. */
export type RelayEnd =
  /** Both directions were carried to their end. */
  | { readonly kind: "closed" }
  /** One side broke; the other was reset. */
  | { readonly kind: "faulted"; readonly side: "downstream" | "upstream"; readonly fault: ChannelFault }
  /** This process cut it: policy, drain, or a bound. */
  | { readonly kind: "aborted"; readonly reason: AbortReason };

export interface RelayResult {
  readonly end: RelayEnd;
  /** Bytes carried from downstream (who opened the connection) to upstream. */
  readonly sentBytes: number;
  /** Bytes carried from upstream to downstream. */
  readonly receivedBytes: number;
  readonly durationMs: number;
}

export interface RelayOptions {
  /** Neither side sent a byte for this long: reset both. 0 means no bound (TCP keepalive still finds dead peers). */
  readonly idleTimeoutMs: number;
  /** As above, once one direction has ended. 0 means no bound. */
  readonly halfOpenTimeoutMs: number;
}

/** One relayed connection, alive until `finished` resolves. */
export interface RelaySession {
  /** Bytes so far, as in {@link RelayResult}. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Resets both sides now, for example because a policy changed. */
  abort(reason: AbortReason): void;
  /** Never rejects. */
  readonly finished: Promise<RelayResult>;
}

export interface Relays extends Disposable {
  /** Opens both channels and copies. `downstream` is the side that opened the connection. Never throws. */
  start(downstream: ByteChannel, upstream: ByteChannel): RelaySession;
  readonly active: number;
  /** Resets every connection; returns how many. */
  abortAll(reason: AbortReason): number;
}

export interface RelayDeps {
  readonly clock: Clock;
  /** A channel threw; its connection is over on both sides. Absent: that ends the process. */
  readonly onInternalError?: OnInternalError;
}

/** All relays of a process share one timer for their bounds. Disposing aborts them all. */
export function createRelays(options: RelayOptions, deps: RelayDeps): Relays {
  return new RelayTable(options, deps.clock, deps.onInternalError ?? endProcess);
}

/** A bound is looked at this many times within its duration, so it is exact to a quarter. */
const SWEEPS_PER_TIMEOUT = 4;

class RelayTable implements Relays {
  readonly clock: Clock;
  readonly report: OnInternalError;
  readonly #options: RelayOptions;
  readonly #sessions = new Set<Session>();
  readonly #sweepMs: number;
  #timer: Timer | undefined;

  constructor(options: RelayOptions, clock: Clock, report: OnInternalError) {
    this.#options = options;
    this.clock = clock;
    this.report = report;
    const bounds = [options.idleTimeoutMs, options.halfOpenTimeoutMs].filter((bound) => bound > 0);
    this.#sweepMs = bounds.length === 0 ? 0 : Math.min(...bounds) / SWEEPS_PER_TIMEOUT;
  }

  get active(): number {
    return this.#sessions.size;
  }

  start(downstream: ByteChannel, upstream: ByteChannel): RelaySession {
    const session = new Session(this, downstream, upstream);
    this.#sessions.add(session);
    if (this.#sweepMs > 0 && this.#timer === undefined) this.#arm();
    session.open();
    return session;
  }

  abortAll(reason: AbortReason): number {
    const sessions = [...this.#sessions];
    for (const session of sessions) session.abort(reason);
    return sessions.length;
  }

  remove(session: Session): void {
    this.#sessions.delete(session);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.abortAll("drain");
  }

  #arm(): void {
    this.#timer = this.clock.after(this.#sweepMs, () => {
      this.#timer = undefined;
      const nowMs = this.clock.monotonicMs();
      for (const session of this.#sessions) session.sweep(nowMs, this.#options);
      if (this.#sessions.size > 0) this.#arm();
    });
  }
}

class Session implements RelaySession {
  readonly downstream: Direction;
  readonly upstream: Direction;
  readonly finished: Promise<RelayResult>;
  readonly #table: RelayTable;
  readonly #startedMs: number;
  #resolve: (result: RelayResult) => void = () => {};
  #over = false;
  /** Bytes at the last sweep that saw any new ones, and when that was. */
  #sweptBytes = 0;
  #quietSinceMs: number;

  constructor(table: RelayTable, downstream: ByteChannel, upstream: ByteChannel) {
    this.#table = table;
    this.#startedMs = table.clock.monotonicMs();
    this.#quietSinceMs = this.#startedMs;
    this.downstream = new Direction(this, "downstream", downstream, upstream);
    this.upstream = new Direction(this, "upstream", upstream, downstream);
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get sentBytes(): number {
    return this.downstream.bytes;
  }

  get receivedBytes(): number {
    return this.upstream.bytes;
  }

  open(): void {
    try {
      this.downstream.from.open(this.downstream);
      this.upstream.from.open(this.upstream);
    } catch (error) {
      this.#table.report(error);
      this.abort("other-side-failed");
    }
  }

  abort(reason: AbortReason): void {
    if (this.#over) return;
    this.#cut(this.downstream.from, reason);
    this.#cut(this.upstream.from, reason);
    this.#finish({ kind: "aborted", reason });
  }

  /** A side that cannot even be cut must not keep the other one, nor whoever waits for the end. */
  #cut(channel: ByteChannel, reason: AbortReason): void {
    try {
      channel.abort(reason);
    } catch (error) {
      this.#table.report(error);
    }
  }

  /** Judges the bounds by whether bytes moved between sweeps: no clock is read per chunk. */
  sweep(nowMs: number, options: RelayOptions): void {
    const bytes = this.sentBytes + this.receivedBytes;
    if (bytes !== this.#sweptBytes) {
      this.#sweptBytes = bytes;
      this.#quietSinceMs = nowMs;
      return;
    }
    const quietMs = nowMs - this.#quietSinceMs;
    const halfOpen = this.downstream.ended || this.upstream.ended;
    if (halfOpen && options.halfOpenTimeoutMs > 0 && quietMs >= options.halfOpenTimeoutMs)
      this.abort("half-open");
    else if (options.idleTimeoutMs > 0 && quietMs >= options.idleTimeoutMs) this.abort("idle");
  }

  onClosed(): void {
    if (this.downstream.closed && this.upstream.closed) this.#finish({ kind: "closed" });
  }

  onFault(direction: Direction, fault: ChannelFault): void {
    if (this.#over) return;
    this.#cut(direction.to, "other-side-failed");
    this.#finish({ kind: "faulted", side: direction.side, fault });
  }

  #finish(end: RelayEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#table.remove(this);
    const durationMs = this.#table.clock.monotonicMs() - this.#startedMs;
    this.#resolve({ end, sentBytes: this.sentBytes, receivedBytes: this.receivedBytes, durationMs });
  }
}

/** The consumer of one channel: writes what it gives to the other one. */
class Direction implements ByteConsumer {
  readonly side: "downstream" | "upstream";
  readonly from: ByteChannel;
  readonly to: ByteChannel;
  bytes = 0;
  /** `from` will send no more. */
  ended = false;
  closed = false;
  readonly #session: Session;

  constructor(session: Session, side: "downstream" | "upstream", from: ByteChannel, to: ByteChannel) {
    this.#session = session;
    this.side = side;
    this.from = from;
    this.to = to;
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    this.bytes += chunk.length;
    if (!this.to.write(chunk, lent)) this.from.pause();
  }

  onEnd(): void {
    this.ended = true;
    this.to.endWrite();
  }

  /** `from` can be written to again, so the other side may go on reading. */
  onDrain(): void {
    this.to.resume();
  }

  onClosed(): void {
    this.closed = true;
    this.#session.onClosed();
  }

  onFault(fault: ChannelFault): void {
    this.#session.onFault(this, fault);
  }
}
