/** A bound on what refused connections may write to the log: a port scan must not drown what else is said. */

/** Enough to see who is refused and why; a peer that retries is in the next line, or in the number of those left out. */
const LINES_PER_SECOND = 10;
const BURST_LINES = 100;

/** Whether a line may be written now, and how many were left out since the last one. */
export interface RefusalLog {
  admit(): { readonly kind: "write"; readonly suppressed: number } | { readonly kind: "suppress" };
}

export function createRefusalLog(deps: { readonly monotonicMs: () => number }): RefusalLog {
  let tokens = BURST_LINES;
  let atMs = deps.monotonicMs();
  let suppressed = 0;
  return {
    admit() {
      const nowMs = deps.monotonicMs();
      tokens = Math.min(BURST_LINES, tokens + ((nowMs - atMs) / 1000) * LINES_PER_SECOND);
      atMs = nowMs;
      if (tokens < 1) {
        suppressed++;
        return { kind: "suppress" };
      }
      tokens--;
      const left = suppressed;
      suppressed = 0;
      return { kind: "write", suppressed: left };
    },
  };
}
