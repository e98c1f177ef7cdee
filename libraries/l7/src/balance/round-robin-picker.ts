import type { Warmup } from "@meltemi/model/l7";
import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import type { Member, Picker } from "./picker.ts";
import { drawWarm } from "./warm-up.ts";

/**
 * In turn, heavier ones more often and evenly spread: earliest deadline first, where a turn moves an endpoint's deadline on by
 * one over its weight. The deadlines are all that changes here; a list that changes gets a new picker.
 */
export class RoundRobinPicker<E extends BalancedEndpoint> implements Picker<E> {
  readonly #members: readonly Member<E>[];
  readonly #warmup: Warmup | undefined;
  /** A binary heap of positions in `#members`, the earliest deadline on top. */
  readonly #heap: Uint32Array;
  readonly #deadlines: Float64Array;

  /** `random`: where the turns begin, so that replicas do not move in step. */
  constructor(members: readonly Member<E>[], warmup: Warmup | undefined, random: () => number) {
    this.#members = members;
    this.#warmup = warmup;
    this.#heap = Uint32Array.from(members, (_, index) => index);
    const begin = Math.floor(random() * members.length);
    this.#deadlines = Float64Array.from(members, ({ weight }, index) => {
      const place = (index - begin + members.length) % members.length;
      return (place + 1) / members.length / weight;
    });
    for (let at = (members.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  pick(request: PickRequest): E | undefined {
    if (this.#warmup === undefined) return this.#next();
    return drawWarm(this.#warmup, request.nowMs, request.random, () => this.#next());
  }

  #next(): E | undefined {
    const index = this.#heap[0];
    const member = index === undefined ? undefined : this.#members[index];
    if (index === undefined || member === undefined) return undefined;
    this.#deadlines[index] = (this.#deadlines[index] ?? 0) + 1 / member.weight;
    this.#sink(0);
    return member.endpoint;
  }

  #sink(start: number): void {
    const heap = this.#heap;
    let at = start;
    for (;;) {
      let earliest = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && this.#isBefore(child, earliest)) earliest = child;
      if (earliest === at) return;
      const moved = heap[at] ?? 0;
      heap[at] = heap[earliest] ?? 0;
      heap[earliest] = moved;
      at = earliest;
    }
  }

  /** Places in the heap; of equal deadlines the earlier in the list, so that turns are the same everywhere. */
  #isBefore(one: number, other: number): boolean {
    const a = this.#heap[one] ?? 0;
    const b = this.#heap[other] ?? 0;
    const left = (this.#deadlines[a] ?? 0) - (this.#deadlines[b] ?? 0);
    return left < 0 || (left === 0 && a < b);
  }
}
