import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import { type Member, type Picker, WeightedDraw } from "./picker.ts";

/** By chance, in proportion to the weights (Envoy's RANDOM knows no weights). */
export class RandomPicker<E extends BalancedEndpoint> implements Picker<E> {
  readonly #members: readonly Member<E>[];
  readonly #draw: WeightedDraw<E>;

  constructor(members: readonly Member<E>[]) {
    this.#members = members;
    this.#draw = new WeightedDraw(members);
  }

  pick(request: PickRequest): E | undefined {
    return this.#members[this.#draw.index(request.random())]?.endpoint;
  }
}
