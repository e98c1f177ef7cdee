/** Takes connections as long as the listener lives: no failure of one accept may end it, for the agent would never hear of a ztunnel again. */

import type { SeqpacketConnection, SeqpacketListener } from "@meltemi/linux";
import { type Clock, delay, describeError, type Logger } from "@meltemi/runtime";

/** A ztunnel that is refused or crashes must not spin this process (reference: protocol §3.5). */
export const MIN_ACCEPT_INTERVAL_MS = 200;
/** After a failure, which is nearly always a want of descriptors (EMFILE, ENFILE) or memory: the waiting connection stays in the backlog. */
export const ACCEPT_RETRY_MS = 1_000;

export interface AcceptLoopDependencies {
  readonly listener: Pick<SeqpacketListener, "accept">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes ownership. */
  readonly adopt: (socket: SeqpacketConnection) => void;
}

/** Resolves when the signal is aborted, which must be before the listener is closed. Never rejects. */
export async function acceptLoop(deps: AcceptLoopDependencies, signal: AbortSignal): Promise<void> {
  const { listener, clock, log, adopt } = deps;
  while (!signal.aborted) {
    let pauseMs = MIN_ACCEPT_INTERVAL_MS;
    try {
      adopt(await listener.accept(signal));
      log.info("ztunnel connected");
    } catch (error) {
      if (signal.aborted) return;
      pauseMs = ACCEPT_RETRY_MS;
      log.warn("ztunnel not accepted; trying again", { why: describeError(error), retry_ms: pauseMs });
    }
    // Rejects for no other reason than that the signal is aborted: the loop's condition sees it.
    await delay(clock, pauseMs, signal).catch(() => undefined);
  }
}
