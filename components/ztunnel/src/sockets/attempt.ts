/**
 * The time between accepting a connection and carrying it, when whoever waits must hear that it is over. One controller for all
 * causes, gone once the connection is carried: three signals for each of 10 000 idle connections were a fifth of their memory.
 */

import type { Socket } from "node:net";
import { MeshError } from "@meltemi/runtime";

/** Made once: an abort without a reason makes an exception with a stack, for every connection that ends. */
const GONE = new MeshError("ABORTED", "the client is gone");

export class Attempt {
  #controller: AbortController | undefined = new AbortController();
  #unfollow: (() => void) | undefined;
  /** Why {@link end} was called while connecting. */
  cutBecause: string | undefined;

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

  /** This process ends it. */
  end(because: string): void {
    this.cutBecause ??= because;
    this.#abort(new MeshError("ABORTED", because));
  }

  /** Nobody waits any more. */
  settle(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#controller = undefined;
  }

  #abort(reason: MeshError): void {
    this.#controller?.abort(reason);
  }
}
