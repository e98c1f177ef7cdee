/** Header fields in the order in which they came. One flat array: a request of fifteen fields is one object, not thirty. */
export class HeaderFields {
  /** Name, value, name, value; names in lower case. Owned by this object. */
  readonly flat: string[];

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  static of(...fields: readonly (readonly [name: string, value: string])[]): HeaderFields {
    return new HeaderFields(fields.flat());
  }

  /** The first value; `name` in lower case. */
  get(name: string): string | undefined {
    const { flat } = this;
    for (let at = 0; at < flat.length; at += 2) if (flat[at] === name) return flat[at + 1];
    return undefined;
  }

  /** Every value, in order. */
  all(name: string): readonly string[] {
    const { flat } = this;
    const values: string[] = [];
    for (let at = 0; at < flat.length; at += 2) if (flat[at] === name) values.push(flat[at + 1] ?? "");
    return values;
  }

  /** All values as one list, as RFC 9110 §5.3 allows; undefined when there is none. */
  joined(name: string): string | undefined {
    const { flat } = this;
    let joined: string | undefined;
    for (let at = 0; at < flat.length; at += 2) {
      if (flat[at] !== name) continue;
      joined = joined === undefined ? flat[at + 1] : `${joined},${flat[at + 1]}`;
    }
    return joined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Replaces all values; keeps the place of the first. */
  set(name: string, value: string): void {
    const { flat } = this;
    for (let at = 0; at < flat.length; at += 2) {
      if (flat[at] !== name) continue;
      flat[at + 1] = value;
      this.#deleteFrom(at + 2, name);
      return;
    }
    flat.push(name, value);
  }

  append(name: string, value: string): void {
    this.flat.push(name, value);
  }

  delete(name: string): void {
    this.#deleteFrom(0, name);
  }

  #deleteFrom(start: number, name: string): void {
    const { flat } = this;
    let to = start;
    for (let at = start; at < flat.length; at += 2) {
      if (flat[at] === name) continue;
      if (to !== at) {
        flat[to] = flat[at] ?? "";
        flat[to + 1] = flat[at + 1] ?? "";
      }
      to += 2;
    }
    if (to < flat.length) flat.length = to;
  }

  copy(): HeaderFields {
    return new HeaderFields(this.flat.slice());
  }

  /** Number of fields. */
  get count(): number {
    return this.flat.length / 2;
  }
}
