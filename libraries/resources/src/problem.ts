/** What is wrong with an object from outside, and where. */

export interface Problem {
  /** `spec.rules[0].from[1].source.ipBlocks[0]` */
  readonly path: string;
  /** What was expected, and what was there. */
  readonly problem: string;
}

/** An object of the API, parsed or refused with everything that is wrong with it (up to a bound). */
export type Parsed<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[] };

/** More problems than a person reads at once; the rest only costs memory. */
const PROBLEM_LIMIT = 20;

/** Collects problems up to the bound. */
export class Problems {
  readonly #found: Problem[] = [];

  add(path: string, problem: string): void {
    if (this.#found.length < PROBLEM_LIMIT) this.#found.push({ path, problem });
  }

  get found(): readonly Problem[] {
    return this.#found;
  }

  get isFull(): boolean {
    return this.#found.length >= PROBLEM_LIMIT;
  }
}

/** `path: problem; path: problem` for a log line or a status message. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, problem }) => `${path}: ${problem}`).join("; ");
}

/** A value in a message: JSON, cut short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
