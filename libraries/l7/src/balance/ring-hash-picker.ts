import type { BalancedEndpoint, Hash64, PickRequest } from "./endpoint.ts";
import type { Member, Picker } from "./picker.ts";
import { hashOf } from "./request-hash.ts";
import { compare64, xxHash64 } from "./xxhash64.ts";

/** Laying out more takes longer than a tenth of a second; 8 Mi in Envoy. */
const MAX_RING_SIZE = 1 << 17;

/**
 * Consistent hashing on a ring: a key belongs to the first point at or after its hash. Points are those of Envoy, the hashes of
 * `address_0`, `address_1` and so on, as many as the weight asks for: replicas agree, and a changed list moves few keys.
 */
export class RingHashPicker<E extends BalancedEndpoint> implements Picker<E> {
  readonly #members: readonly Member<E>[];
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** Position in `#members` of each point. */
  readonly #owners: Uint32Array;

  constructor(members: readonly Member<E>[], minimumRingSize: number) {
    this.#members = members;
    const points = layOut(members, minimumRingSize);
    points.sort((a, b) => compare64(a.hash, b.hash));
    this.#high = Uint32Array.from(points, ({ hash }) => hash.high);
    this.#low = Uint32Array.from(points, ({ hash }) => hash.low);
    this.#owners = Uint32Array.from(points, ({ owner }) => owner);
  }

  get ringSize(): number {
    return this.#owners.length;
  }

  pick(request: PickRequest, attempt: number): E | undefined {
    const size = this.#owners.length;
    const point = (this.#firstFrom(hashOf(request)) + attempt) % size;
    return this.#members[this.#owners[point] ?? 0]?.endpoint;
  }

  /** The first point that is not below; the first of all behind the last. */
  #firstFrom(hash: Hash64): number {
    let low = 0;
    let high = this.#owners.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const pointHigh = this.#high[middle] ?? 0;
      const isBelow = pointHigh === hash.high ? (this.#low[middle] ?? 0) < hash.low : pointHigh < hash.high;
      if (isBelow) low = middle + 1;
      else high = middle;
    }
    return low === this.#owners.length ? 0 : low;
  }
}

function layOut(
  members: readonly Member<BalancedEndpoint>[],
  minimumRingSize: number,
): { readonly hash: Hash64; readonly owner: number }[] {
  const points: { readonly hash: Hash64; readonly owner: number }[] = [];
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const least = Math.min(...members.map(({ weight }) => weight / total));
  // So many that the lightest has a whole number of points.
  const size = Math.min(MAX_RING_SIZE, Math.ceil(least * minimumRingSize) / least);
  let target = 0;
  for (const [owner, { endpoint, weight }] of members.entries()) {
    target += (size * weight) / total;
    for (let number = 0; points.length < target; number++)
      points.push({ hash: xxHash64(`${endpoint.address}_${number}`), owner });
  }
  return points;
}
