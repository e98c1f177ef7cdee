import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import type { Member, Picker } from "./picker.ts";
import { hashOf } from "./request-hash.ts";
import { remainder64, xxHash64 } from "./xxhash64.ts";

/** Envoy's bound, a prime. */
const MAX_TABLE_SIZE = 5_000_011;

/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, §3.4): each endpoint has its own order of all places of the table, and they take
 * places in turn, heavier ones more often. Places hold endpoints as in Envoy, so that replicas agree.
 */
export class MaglevPicker<E extends BalancedEndpoint> implements Picker<E> {
  readonly #members: readonly Member<E>[];
  /** Position in `#members` by place. */
  readonly #table: Uint32Array;

  constructor(members: readonly Member<E>[], tableSize: number) {
    this.#members = [...members].sort((a, b) => compareText(a.endpoint.address, b.endpoint.address));
    this.#table = fill(this.#members, primeFrom(Math.min(Math.max(tableSize, 2), MAX_TABLE_SIZE)));
  }

  get tableSize(): number {
    return this.#table.length;
  }

  pick(request: PickRequest, attempt: number): E | undefined {
    const hash = hashOf(request);
    // A retry changes nearly all bits, so that those of one endpoint do not all go to the same other.
    const tried =
      attempt === 0 ? hash : { high: ~hash.high >>> 0, low: (hash.low ^ (0x100000000 - attempt)) >>> 0 };
    return this.#members[this.#table[remainder64(tried, this.#table.length)] ?? 0]?.endpoint;
  }
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function fill(members: readonly Member<BalancedEndpoint>[], size: number): Uint32Array {
  const table = new Uint32Array(size);
  if (members.length === 0) return table;
  const isTaken = new Uint8Array(size);
  const heaviest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
  const places = members.map(({ endpoint }) => remainder64(xxHash64(endpoint.address), size));
  const skips = members.map(({ endpoint }) => remainder64(xxHash64(endpoint.address, 1), size - 1) + 1);
  const targets = members.map(() => 0);
  let taken = 0;
  for (let turn = 1; taken < size; turn++)
    for (const [index, { weight }] of members.entries()) {
      if (taken === size) break;
      if (turn * weight < (targets[index] ?? 0)) continue;
      targets[index] = (targets[index] ?? 0) + heaviest;
      let place = places[index] ?? 0;
      const skip = skips[index] ?? 1;
      while (isTaken[place] === 1) place = (place + skip) % size;
      isTaken[place] = 1;
      table[place] = index;
      places[index] = (place + skip) % size;
      taken++;
    }
  return table;
}

/** Only a prime lets every skip reach every place. */
function primeFrom(least: number): number {
  let candidate = least;
  while (!isPrime(candidate)) candidate++;
  return candidate;
}

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++)
    if (candidate % divisor === 0) return false;
  return true;
}
