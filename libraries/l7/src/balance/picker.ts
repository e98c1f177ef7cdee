/** What chooses one endpoint of a fixed list; one class for each way of balancing. */

import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";

/** An endpoint with its weight in one list; weights of localities are multiplied in where a list has several. */
export interface Member<E extends BalancedEndpoint> {
  readonly endpoint: E;
  /** Above zero. */
  readonly weight: number;
}

export interface Picker<E extends BalancedEndpoint> {
  /**
   * `attempt` counts from 0 the draws for one request: consistent hashing goes on to the next place, the others draw again.
   * Undefined only for an empty list.
   */
  pick(request: PickRequest, attempt: number): E | undefined;
}

/** Members in proportion to their weights; for equal weights in constant time. */
export class WeightedDraw<E extends BalancedEndpoint> {
  readonly #members: readonly Member<E>[];
  readonly #weightUpTo: Float64Array;
  readonly #isEven: boolean;

  constructor(members: readonly Member<E>[]) {
    this.#members = members;
    this.#weightUpTo = new Float64Array(members.length);
    let total = 0;
    for (const [index, { weight }] of members.entries()) {
      total += weight;
      this.#weightUpTo[index] = total;
    }
    this.#isEven = members.every(({ weight }) => weight === members[0]?.weight);
  }

  /** `drawn` in [0, 1). -1 for an empty list. */
  index(drawn: number): number {
    const count = this.#members.length;
    if (this.#isEven) return count === 0 ? -1 : Math.floor(drawn * count);
    const wanted = drawn * (this.#weightUpTo[count - 1] ?? 0);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#weightUpTo[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
