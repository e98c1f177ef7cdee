/**
 * What stays open for long after it was judged: relayed TCP connections and upgraded requests such as WebSockets. When policies
 * change they are judged again, as ztunnel does with its connections; Istio's waypoint lets them run on.
 */

import type { Clock } from "@meltemi/runtime";

export interface OpenTunnel {
  /** By the policies of now; undefined: it may go on. */
  denial(): string | undefined;
  /** Resets both sides. `details` are for the log. */
  cut(details: string): void;
}

export interface OpenTunnelsDeps {
  readonly clock: Clock;
  readonly onInternalError: (error: unknown) => void;
}

/** One or two milliseconds of judging in one turn of the event loop. */
export const JUDGED_PER_TURN = 500;
/** A pass that lasts as long as this judges the rest at once: a loop that is busy must not keep open what is forbidden. */
export const PASS_BOUND_MS = 1000;

interface Pass {
  /** Sets are walked in order, and may change meanwhile. */
  readonly left: Iterator<OpenTunnel>;
  readonly startedMs: number;
}

export class OpenTunnels {
  readonly #deps: OpenTunnelsDeps;
  readonly #open = new Set<OpenTunnel>();
  #pass: Pass | undefined;
  /** Policies changed after the pass began: the part behind it was judged by older ones. */
  #again = false;

  constructor(deps: OpenTunnelsDeps) {
    this.#deps = deps;
  }

  add(tunnel: OpenTunnel): void {
    this.#open.add(tunnel);
  }

  delete(tunnel: OpenTunnel): void {
    this.#open.delete(tunnel);
  }

  /** From the next turn on: nobody is cut inside this call. */
  rejudge(): void {
    if (this.#pass !== undefined) this.#again = true;
    else if (this.#open.size > 0) {
      this.#pass = { left: this.#open.values(), startedMs: this.#deps.clock.monotonicMs() };
      this.#nextTurn(this.#pass);
    }
  }

  #nextTurn(pass: Pass): void {
    this.#deps.clock.after(0, () => this.#judgeSome(pass));
  }

  #judgeSome(pass: Pass): void {
    const isLate = this.#deps.clock.monotonicMs() - pass.startedMs >= PASS_BOUND_MS;
    const quota = isLate ? Number.POSITIVE_INFINITY : JUDGED_PER_TURN;
    for (let count = 0; count < quota; count++) {
      const next = pass.left.next();
      if (next.done !== true) this.#judge(next.value);
      else {
        this.#pass = undefined;
        if (this.#again) this.rejudge();
        this.#again = false;
        return;
      }
    }
    this.#nextTurn(pass);
  }

  /** One that cannot be judged is not let run on. */
  #judge(tunnel: OpenTunnel): void {
    let details: string | undefined = "internal_error";
    try {
      details = tunnel.denial();
    } catch (error) {
      this.#deps.onInternalError(error);
    }
    if (details === undefined) return;
    this.#open.delete(tunnel);
    tunnel.cut(details);
  }
}
