/**
 * Reading configuration from the environment. Every reader appends to `problems` instead of throwing,
 * so that a component reports all its faults together, each naming its variable.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    return this.#env[name] ?? fallback;
  }

  /** Undefined when the variable is absent or empty. */
  optionalText(name: string): string | undefined {
    const value = this.#env[name];
    return value === undefined || value === "" ? undefined : value;
  }

  requiredText(name: string, what: string): string {
    const value = this.optionalText(name);
    if (value === undefined) this.problems.push(`${name}: expected ${what}, got nothing`);
    return value ?? "";
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.optionalText(name);
    if (value === undefined) return fallback;
    if (value === "true" || value === "1") return true;
    if (value === "false" || value === "0") return false;
    this.problems.push(`${name}: expected true or false, got ${JSON.stringify(value)}`);
    return fallback;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.optionalText(name);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    this.problems.push(
      `${name}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(value)}`,
    );
    return fallback;
  }

  port(name: string, fallback: number): number {
    return this.integer(name, fallback, 1, 65535);
  }

  /** A Go duration such as `5s`, `1h30m`, `250ms`. */
  durationMs(name: string, fallbackMs: number): number {
    const value = this.optionalText(name);
    if (value === undefined) return fallbackMs;
    const parsed = parseDurationMs(value);
    if (parsed !== undefined) return parsed;
    this.problems.push(`${name}: expected a duration such as 5s or 1h30m, got ${JSON.stringify(value)}`);
    return fallbackMs;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.optionalText(name);
    if (value === undefined) return fallback;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    this.problems.push(`${name}: expected one of ${choices.join(", ")}, got ${JSON.stringify(value)}`);
    return fallback;
  }

  /** Variables whose name begins with `prefix`, the prefix cut off. */
  withPrefix(prefix: string): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [name, value] of Object.entries(this.#env)) {
      if (name.startsWith(prefix) && value !== undefined) found.set(name.slice(prefix.length), value);
    }
    return found;
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a Go duration string, or undefined when it is not one. Negative durations are refused. */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return total;
}
