/** Finds the cells that a request or a connection counts into: by one number, or, where users' tags are added, by one text. */

import type { BoundExpression } from "../attributes/expression.ts";
import { type LabelIndex, type LabelPart, MAX_FLAGS, MAX_PARTS } from "./label-index.ts";
import { tagValues } from "./label-plan.ts";

/** The outcome of a request besides its flags: status and gRPC status. */
const MAX_OUTCOMES = 2 ** 15;
/** An entry takes about 100 bytes; when all are taken the cache starts again. */
const MAX_ENTRIES = 20_000;

export interface CellSource<R, C> {
  /** Makes or finds the cells of what is counted for the first time. `kept`: they are all there, and may be remembered. */
  cells(record: R, source: LabelPart, destination: LabelPart, tags: readonly string[]): C;
  readonly expressions: readonly BoundExpression<R>[];
}

export class CellCache<R, C extends { readonly kept: boolean }> {
  readonly #index: LabelIndex;
  readonly #source: CellSource<R, C>;
  readonly #cells = new Map<number | string, C>();
  #generation: number;

  constructor(index: LabelIndex, source: CellSource<R, C>) {
    this.#index = index;
    this.#source = source;
    this.#generation = index.generation;
  }

  /** `outcome`: below {@link MAX_OUTCOMES}; `flags`: of the index. */
  find(record: R, source: LabelPart, destination: LabelPart, outcome: number, flags: number): C {
    if (this.#generation !== this.#index.generation) {
      this.#cells.clear();
      this.#generation = this.#index.generation;
    }
    const { expressions } = this.#source;
    if (source.id < 0 || destination.id < 0 || flags < 0)
      return this.#source.cells(record, source, destination, tagValues(expressions, record));
    // 14 + 14 + 15 + 10 bits: just what a number holds exactly.
    const number = ((source.id * MAX_PARTS + destination.id) * MAX_OUTCOMES + outcome) * MAX_FLAGS + flags;
    if (expressions.length === 0) {
      return (
        this.#cells.get(number) ?? this.#remember(number, this.#source.cells(record, source, destination, []))
      );
    }
    const tags = tagValues(expressions, record);
    const key = `${number}\n${tags.map((tag) => `${tag.length}:${tag}`).join("")}`;
    return this.#cells.get(key) ?? this.#remember(key, this.#source.cells(record, source, destination, tags));
  }

  #remember(key: number | string, cells: C): C {
    if (!cells.kept) return cells;
    if (this.#cells.size >= MAX_ENTRIES) this.#cells.clear();
    this.#cells.set(key, cells);
    return cells;
  }
}
