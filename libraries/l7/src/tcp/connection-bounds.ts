/** The times of a DestinationRule's `connectionPool.tcp` for one relayed connection (reference: l7-and-cli §2.5). */

import type { RelaySession } from "@meltemi/l4";
import type { ConnectionPool } from "@meltemi/model/l7";
import type { Clock, Timer } from "@meltemi/runtime";

/** Silence is looked at so many times within its bound, which is then exact to a quarter. */
const LOOKS_PER_TIMEOUT = 4;

type Session = Pick<RelaySession, "sentBytes" | "receivedBytes" | "abort">;

/** Aborts the session when its time is over. To be disposed of with the connection. */
export class ConnectionBounds implements Disposable {
  readonly #session: Session;
  readonly #clock: Clock;
  #idle: Timer | undefined;
  readonly #age: Timer | undefined;
  #bytes = 0;
  #silentLooks = 0;

  constructor(
    session: Session,
    pool: Pick<ConnectionPool, "tcpIdleTimeoutMs" | "maxConnectionDurationMs">,
    clock: Clock,
  ) {
    this.#session = session;
    this.#clock = clock;
    const { tcpIdleTimeoutMs, maxConnectionDurationMs } = pool;
    if (tcpIdleTimeoutMs > 0) this.#lookAfter(tcpIdleTimeoutMs / LOOKS_PER_TIMEOUT);
    if (maxConnectionDurationMs !== undefined)
      this.#age = clock.after(maxConnectionDurationMs, () => session.abort("limit"));
  }

  #lookAfter(intervalMs: number): void {
    this.#idle = this.#clock.after(intervalMs, () => {
      const bytes = this.#session.sentBytes + this.#session.receivedBytes;
      this.#silentLooks = bytes === this.#bytes ? this.#silentLooks + 1 : 0;
      this.#bytes = bytes;
      if (this.#silentLooks >= LOOKS_PER_TIMEOUT) this.#session.abort("idle");
      else this.#lookAfter(intervalMs);
    });
  }

  [Symbol.dispose](): void {
    this.#idle?.cancel();
    this.#age?.cancel();
  }
}
