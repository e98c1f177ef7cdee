/** The open connections of one pod: for the config dump, and for draining. */

import type { Clock } from "@meltemi/runtime";

export interface ConnectionEntry {
  readonly src: string;
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: "HBONE" | "TCP" | "DOUBLEHBONE";
}

export interface ConnectionTable {
  /** `cut` resets the connection now. Returns how to remove it when it has ended. */
  add(direction: "inbound" | "outbound", entry: ConnectionEntry, cut: () => void): () => void;
  dump(): { readonly inbound: readonly ConnectionEntry[]; readonly outbound: readonly ConnectionEntry[] };
  readonly size: number;
  /** A drain waits for one that was accepted, though nobody knows yet where it goes. Returns how to let go of it. */
  hold(): () => void;
  /** Resolves when none is left; after `deadlineMs` the rest is cut. */
  drain(deadlineMs: number): Promise<{ readonly cut: number }>;
}

interface Row {
  readonly direction: "inbound" | "outbound";
  readonly entry: ConnectionEntry;
  readonly cut: () => void;
}

export function createConnectionTable(deps: { readonly clock: Clock }): ConnectionTable {
  const rows = new Set<Row>();
  let held = 0;
  /** Drains under way: a pod that is un-enrolled may be drained again, with less time, at shutdown. */
  const drains = new Set<() => void>();
  const isEmpty = (): boolean => rows.size === 0 && held === 0;
  const tellDrains = (): void => {
    if (isEmpty()) for (const onEmpty of [...drains]) onEmpty();
  };
  return {
    add(direction, entry, cut) {
      const row = { direction, entry, cut };
      rows.add(row);
      return () => {
        rows.delete(row);
        tellDrains();
      };
    },
    hold() {
      held++;
      return () => {
        held--;
        tellDrains();
      };
    },
    dump() {
      const of = (direction: Row["direction"]): ConnectionEntry[] =>
        [...rows].filter((row) => row.direction === direction).map((row) => row.entry);
      return { inbound: of("inbound"), outbound: of("outbound") };
    },
    get size() {
      return rows.size;
    },
    async drain(deadlineMs) {
      if (isEmpty()) return { cut: 0 };
      const late = await new Promise<boolean>((resolve) => {
        const timer = deps.clock.after(deadlineMs, () => resolve(true));
        const onEmpty = (): void => {
          timer.cancel();
          drains.delete(onEmpty);
          resolve(false);
        };
        drains.add(onEmpty);
      });
      if (!late) return { cut: 0 };
      const left = [...rows];
      for (const row of left) row.cut();
      return { cut: left.length };
    },
  };
}
