/** Typed values out of a tree as YAML gives it. Pure. */

/** Maps, lists and scalars. */
export type Tree = { readonly [key: string]: unknown };

/** Reads typed leaves by dotted path and collects what does not fit. */
export class TreeReader {
  readonly problems: string[] = [];
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  #at(path: string): unknown {
    return path.split(".").reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), this.#tree);
  }

  #wrong(path: string, expected: string): void {
    this.problems.push(`${path}: expected ${expected}, got ${JSON.stringify(this.#at(path))}`);
  }

  text(path: string): string {
    const value = this.#at(path);
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    this.#wrong(path, "a text");
    return "";
  }

  flag(path: string): boolean {
    const value = this.#at(path);
    if (typeof value === "boolean") return value;
    this.#wrong(path, "true or false");
    return false;
  }

  count(path: string, min: number, max: number): number {
    const value = this.#at(path);
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#wrong(path, `a whole number from ${min} to ${max}`);
    return min;
  }

  textList(path: string): readonly string[] {
    const value = this.#at(path);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.#wrong(path, "a list of texts");
    return [];
  }

  /** Fields of a map that hold maps or lists, without those that are empty. */
  filled(path: string, fields: readonly string[]): Tree {
    const entries = fields.map((field) => [field, this.#at(`${path}.${field}`)] as const);
    for (const [field, value] of entries)
      if (typeof value !== "object" || value === null) this.#wrong(`${path}.${field}`, "a map or a list");
    return Object.fromEntries(entries.filter(([, value]) => Object.keys(value ?? {}).length > 0));
  }

  /** Maps of maps of maps. */
  trees(path: string): ReadonlyMap<string, ReadonlyMap<string, Tree>> {
    const maps = (value: unknown, at: string): readonly (readonly [string, Tree])[] => {
      if (!isTree(value)) {
        this.problems.push(`${at}: expected a map, got ${JSON.stringify(value)}`);
        return [];
      }
      return Object.entries(value).flatMap(([key, inner]) => {
        if (isTree(inner)) return [[key, inner] as const];
        this.problems.push(`${at}.${key}: expected a map, got ${JSON.stringify(inner)}`);
        return [];
      });
    };
    return new Map(
      maps(this.#at(path), path).map(([key, tree]) => [key, new Map(maps(tree, `${path}.${key}`))]),
    );
  }

  textMap(path: string): ReadonlyMap<string, string> {
    const value = this.#at(path);
    if (!isTree(value)) {
      this.#wrong(path, "a map of texts");
      return new Map();
    }
    return new Map(Object.entries(value).map(([key, leaf]) => [key, String(leaf)]));
  }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
