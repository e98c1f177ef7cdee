/** The time limits of one connection: keepalive, a peer that began and does not go on, and one that has been idle for long. */
import type { Clock, Timer } from "@meltemi/runtime";
import type { Http2Timeouts } from "./options.ts";

/** What it watches. An exception in here is the connection's. */
export interface Watched {
  /** Nothing is begun that the peer must go on with. */
  readonly settled: boolean;
  readonly active: number;
  ping(): void;
  timeOut(detail: string): void;
  drain(): void;
  guard(task: () => void): void;
}

export class ConnectionWatch {
  readonly #watched: Watched;
  readonly #timeouts: Http2Timeouts;
  readonly #clock: Clock;
  #lastActiveMs = 0;
  #stopped = false;
  #keepalive: Timer | undefined;
  #head: Timer | undefined;
  #idle: Timer | undefined;

  constructor(watched: Watched, timeouts: Http2Timeouts, clock: Clock) {
    this.#watched = watched;
    this.#timeouts = timeouts;
    this.#clock = clock;
  }

  start(): void {
    this.onActive();
    this.onReceived();
    this.onPong();
    this.#armIdle();
  }

  stop(): void {
    this.#stopped = true;
    this.#keepalive?.cancel();
    this.#head?.cancel();
    this.#idle?.cancel();
  }

  onActive(): void {
    this.#lastActiveMs = this.#clock.monotonicMs();
  }

  /** Bytes came: they may have begun something, or gone on with it. */
  onReceived(): void {
    const { settled } = this.#watched;
    if (this.#stopped || settled !== (this.#head !== undefined)) return;
    this.#head?.cancel();
    this.#head = settled
      ? undefined
      : this.#after(this.#timeouts.headTimeoutMs, () =>
          this.#watched.timeOut("peer began and did not go on"),
        );
  }

  onPong(): void {
    this.#keepalive?.cancel();
    const { keepaliveIntervalMs, keepaliveTimeoutMs } = this.#timeouts;
    if (keepaliveIntervalMs === undefined || this.#stopped) return;
    this.#keepalive = this.#after(keepaliveIntervalMs, () => {
      this.#watched.ping();
      this.#keepalive = this.#after(keepaliveTimeoutMs, () =>
        this.#watched.timeOut("keepalive: peer did not answer a PING in time"),
      );
    });
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#timeouts;
    if (idleTimeoutMs === undefined || this.#stopped) return;
    this.#idle = this.#after(idleTimeoutMs, () => {
      const quietMs = this.#clock.monotonicMs() - this.#lastActiveMs;
      if (this.#watched.active === 0 && quietMs >= idleTimeoutMs) this.#watched.drain();
      else this.#armIdle();
    });
  }

  #after(delayMs: number, task: () => void): Timer {
    return this.#clock.after(delayMs, () => this.#watched.guard(task));
  }
}
