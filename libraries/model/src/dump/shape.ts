/** Reads a value of unknown shape key by key, collecting every fault with its path instead of throwing at the first. */

export class Shape {
  readonly #value: unknown;
  readonly #path: string;
  readonly #problems: string[];
  readonly #unknownKeys: "refuse" | "ignore";
  readonly #read = new Set<string>();

  /** `unknownKeys`: a person's mistake is told, what another version of a proxy knows more is not. */
  constructor(value: unknown, path: string, problems: string[], unknownKeys: "refuse" | "ignore" = "refuse") {
    this.#value = value;
    this.#path = path;
    this.#problems = problems;
    this.#unknownKeys = unknownKeys;
  }

  problem(key: string, expected: string, got: unknown): void {
    const at = [this.#path, key].filter((part) => part !== "").join(".") || "top level";
    this.#problems.push(`${at}: expected ${expected}, got ${JSON.stringify(got)?.slice(0, 100)}`);
  }

  /** Refuses the keys that nobody has read. */
  end(): void {
    if (this.#unknownKeys === "ignore") return;
    for (const key of Object.keys(this.#object()))
      if (!this.#read.has(key)) this.problem(key, "no such key", this.#object()[key]);
  }

  /** As {@link end}, for use in a spread. */
  closed(): Record<never, never> {
    this.end();
    return {};
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  required(key: string): string {
    const value = this.#get(key);
    if (typeof value === "string" && value !== "") return value;
    this.problem(key, "text", value);
    return "";
  }

  text(key: string, fallback: string): string {
    return this.optionalText(key) ?? fallback;
  }

  optionalText(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === "string") return value;
    this.problem(key, "text", value);
    return undefined;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#get(key);
    if (value === undefined) return fallback;
    if (typeof value === "boolean") return value;
    this.problem(key, "true or false", value);
    return fallback;
  }

  integer(key: string, fallback: number, max: number): number {
    const value = this.#get(key);
    return value === undefined ? fallback : this.#integerOf(key, value, max);
  }

  integers(key: string, max: number): number[] {
    return this.#array(key).map((value) => this.#integerOf(key, value, max));
  }

  texts(key: string): string[] {
    return this.#array(key).flatMap((value) => {
      if (typeof value === "string") return value;
      this.problem(key, "a list of texts", value);
      return [];
    });
  }

  /** The value that a word stands for. */
  choice<T>(key: string, words: Readonly<Record<string, T>>, fallback: T): T {
    const value = this.#get(key);
    if (value === undefined) return fallback;
    return this.#word(key, words, value) ?? fallback;
  }

  choices<T>(key: string, words: Readonly<Record<string, T>>): T[] {
    return this.#array(key).flatMap((value) => this.#word(key, words, value) ?? []);
  }

  optional<T>(key: string, read: (shape: Shape) => T): T | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : read(this.#inner(key, value));
  }

  list(key: string): Shape[] {
    return this.#array(key).map((value, index) => this.#inner(`${key}[${index}]`, value));
  }

  /** The elements, when the value is itself a list. */
  items(): Shape[] {
    if (!Array.isArray(this.#value)) {
      this.problem("", "a list", this.#value);
      return [];
    }
    return this.#value.map((value: unknown, index) => this.#inner(`[${index}]`, value));
  }

  entries(key: string): (readonly [string, Shape])[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    if (!isRecord(value)) {
      this.problem(key, "keys with values", value);
      return [];
    }
    return Object.entries(value).map(
      ([name, inner]) => [name, this.#inner(`${key}.${name}`, inner)] as const,
    );
  }

  /** As {@link entries}, when the value is itself a map. */
  members(): (readonly [string, Shape])[] {
    return Object.entries(this.#object()).map(([name, inner]) => [name, this.#inner(name, inner)] as const);
  }

  /** Number to number, when the value is itself a map of such. */
  numbers(max: number): (readonly [number, number])[] {
    return Object.entries(this.#object()).map(
      ([key, value]) => [this.#integerOf(key, Number(key), max), this.#integerOf(key, value, max)] as const,
    );
  }

  #word<T>(key: string, words: Readonly<Record<string, T>>, value: unknown): T | undefined {
    if (typeof value === "string" && Object.hasOwn(words, value)) return words[value];
    this.problem(key, `one of ${Object.keys(words).join(", ")}`, value);
    return undefined;
  }

  #integerOf(key: string, value: unknown, max: number): number {
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
    this.problem(key, `a whole number from 0 to ${max}`, value);
    return 0;
  }

  #array(key: string): readonly unknown[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value as unknown[];
    this.problem(key, "a list", value);
    return [];
  }

  #inner(key: string, value: unknown): Shape {
    const path = key.startsWith("[") ? `${this.#path}${key}` : [this.#path, key].filter(Boolean).join(".");
    return new Shape(value, path, this.#problems, this.#unknownKeys);
  }

  #get(key: string): unknown {
    this.#read.add(key);
    const object = this.#object();
    return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
  }

  #object(): Readonly<Record<string, unknown>> {
    if (isRecord(this.#value)) return this.#value;
    if (!this.#read.has("")) this.problem("", "keys with values", this.#value);
    // Said once.
    this.#read.add("");
    return {};
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
