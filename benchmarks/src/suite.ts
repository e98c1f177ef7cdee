/** A benchmark by name, as `npm run bench -- <name>` finds it. */

import type { Figure } from "./figure.ts";

export interface SuiteOptions {
  /** Interleaved pairs per figure. */
  readonly pairs: number;
  /** Says what is going on; not a result. */
  readonly progress: (text: string) => void;
}

export interface Suite {
  readonly name: string;
  /** One sentence: what its figures show, and against whom. */
  readonly about: string;
  run(options: SuiteOptions): AsyncIterable<Figure>;
}
