import type { Warmup } from "@meltemi/model/l7";
import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import { type Member, type Picker, WeightedDraw } from "./picker.ts";
import { drawWarm } from "./warm-up.ts";

/** The less busy of two drawn by chance (power of two choices): nearly as even as asking all, at the price of two. */
export class LeastRequestPicker<E extends BalancedEndpoint> implements Picker<E> {
  readonly #members: readonly Member<E>[];
  readonly #draw: WeightedDraw<E>;
  readonly #warmup: Warmup | undefined;

  constructor(members: readonly Member<E>[], warmup: Warmup | undefined) {
    this.#members = members;
    this.#draw = new WeightedDraw(members);
    this.#warmup = warmup;
  }

  pick(request: PickRequest): E | undefined {
    if (this.#warmup === undefined) return this.#drawTwo(request.random);
    return drawWarm(this.#warmup, request.nowMs, request.random, () => this.#drawTwo(request.random));
  }

  #drawTwo(random: () => number): E | undefined {
    const members = this.#members;
    const first = this.#draw.index(random());
    if (members.length < 2) return members[first]?.endpoint;
    let second = this.#draw.index(random());
    // Twice the same is no choice; its neighbour is as good as any.
    if (second === first) second = (first + 1 + Math.floor(random() * (members.length - 1))) % members.length;
    const one = members[first];
    const other = members[second];
    if (one === undefined || other === undefined) return one?.endpoint;
    // The draws know the weights already; what is compared is how full each is, and of equals the first drawn wins.
    const isFuller = one.endpoint.active * other.weight > other.endpoint.active * one.weight;
    return isFuller ? other.endpoint : one.endpoint;
  }
}
