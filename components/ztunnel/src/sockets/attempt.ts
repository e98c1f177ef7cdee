/**
 * A connection from its acceptance to its end, for those who may end it before: while it is being connected, whoever waits must
 * hear that it is over; once it is carried, its relay is aborted. One controller for all causes, gone once the connection is
 * carried: three signals for each of 10 000 idle connections were a fifth of their memory.
 */

import type { Socket } from "node:net";
import type { RelaySession } from "@meltemi/l4";
import { MeshError } from "@meltemi/runtime";
import { CLOSED_BY } from "../telemetry/connection-telemetry.ts";

/** Made once: an abort without a reason makes an exception with a stack, for every connection that ends. */
const GONE = new MeshError("ABORTED", "the client is gone");

export class Attempt {
  #controller: AbortController | undefined = new AbortController();
  #unfollow: (() => void) | undefined;
  #session: RelaySession | undefined;
  #cut: keyof typeof CLOSED_BY | undefined;

  /** Over when the socket closes. */
  static of(socket: Socket): Attempt {
    const attempt = new Attempt();
    const onClose = (): void => attempt.#abort(GONE);
    attempt.#unfollow = () => socket.off("close", onClose);
    socket.once("close", onClose);
    return attempt;
  }

  /** Over when the signal is aborted. */
  static following(signal: AbortSignal): Attempt {
    const attempt = new Attempt();
    const onAbort = (): void => attempt.#abort(GONE);
    attempt.#unfollow = () => signal.removeEventListener("abort", onAbort);
    if (signal.aborted) attempt.#abort(GONE);
    else signal.addEventListener("abort", onAbort, { once: true });
    return attempt;
  }

  get signal(): AbortSignal {
    return this.#controller?.signal ?? AbortSignal.abort(GONE);
  }

  /** In the words of the log, why {@link cut} was called before the connection was carried. */
  get cutBecause(): string | undefined {
    return this.#cut && CLOSED_BY[this.#cut];
  }

  /** This process ends it, whether it is still being connected or carried already. */
  cut(because: keyof typeof CLOSED_BY): void {
    if (this.#session !== undefined) {
      this.#session.abort(because);
      return;
    }
    this.#cut ??= because;
    this.#abort(new MeshError("ABORTED", CLOSED_BY[because]));
  }

  /** Nobody waits any more. */
  settle(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#controller = undefined;
  }

  /** Settled, and from now on the relay's: one that was cut just before is aborted at once. */
  carry(session: RelaySession): void {
    this.settle();
    this.#session = session;
    if (this.#cut !== undefined) session.abort(this.#cut);
  }

  #abort(reason: MeshError): void {
    this.#controller?.abort(reason);
  }
}
