/** The recent changes, so that a watcher that lost its connection resumes where it was; bounded, and it says when it forgot. */
import type { Change } from "./object-store.ts";

/** A reconnect takes seconds; at a busy 200 changes a second this remembers most of a minute. */
const MAX_CHANGES = 8_192;
/** Large objects must not make the count above dear: CRDs are 100 KB and more. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface History {
  /** Adds changes in the order of their revisions and tells the listeners. */
  append(changes: readonly Change[]): void;
  /**
   * Changes after `revision`, oldest first; undefined when some of them are forgotten (410 Gone).
   */
  since(revision: number): readonly Change[] | undefined;
  /** Called with each later change, within the write that made it. Returns how to stop. */
  listen(listener: (change: Change) => void): () => void;
  /** The oldest revision that a watcher may resume from. */
  oldest(): number;
}

export function createHistory(
  startRevision: number,
  bounds: { maxChanges?: number; maxBytes?: number } = {},
): History {
  const maxChanges = bounds.maxChanges ?? MAX_CHANGES;
  const maxBytes = bounds.maxBytes ?? MAX_BYTES;
  const listeners = new Set<(change: Change) => void>();
  let changes: Change[] = [];
  let first = 0;
  let bytes = 0;
  let oldest = startRevision;

  function forgetOldest(): void {
    while (changes.length - first > maxChanges || (bytes > maxBytes && changes.length > first)) {
      const gone = changes[first];
      if (gone === undefined) return;
      first++;
      bytes -= gone.current.text.length;
      oldest = gone.revision;
    }
    // The array is cut in large steps: shifting at every change would copy it each time.
    if (first > maxChanges) {
      changes = changes.slice(first);
      first = 0;
    }
  }

  return {
    append(added) {
      for (const change of added) {
        changes.push(change);
        bytes += change.current.text.length;
      }
      forgetOldest();
      for (const change of added) for (const listener of [...listeners]) listener(change);
    },
    since(revision) {
      if (revision < oldest) return undefined;
      let low = first;
      let high = changes.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((changes[middle]?.revision ?? 0) <= revision) low = middle + 1;
        else high = middle;
      }
      return changes.slice(low);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    oldest: () => oldest,
  };
}
