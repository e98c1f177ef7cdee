/** What must be true before this node may be trusted to enrol pods. */

import type { HttpAnswer } from "./http.ts";

const PARTS = ["capture", "informers", "ztunnel socket", "plugin socket", "plugin"] as const;
type ReadinessPart = (typeof PARTS)[number];

export interface Readiness {
  /** Undefined: the part is there; otherwise what it waits for. */
  set(part: ReadinessPart, missing: string | undefined): void;
  readonly isReady: boolean;
  answer(): HttpAnswer;
}

export function createReadiness(): Readiness {
  const missing = new Map<ReadinessPart, string>(PARTS.map((part) => [part, "starting"]));
  return {
    set(part, what) {
      if (what === undefined) missing.delete(part);
      else missing.set(part, what);
    },
    get isReady() {
      return missing.size === 0;
    },
    answer: () =>
      missing.size === 0
        ? { status: 200, body: "ok\n" }
        : { status: 503, body: [...missing].map(([part, what]) => `${part}: ${what}\n`).join("") },
  };
}
