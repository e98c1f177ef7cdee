/** What is found wrong with an object. Pure. */

import type { Path } from "./path.ts";

export interface Finding {
  readonly severity: "error" | "warning";
  readonly path: Path;
  /** Whether the field's name is wrong, or what it holds. */
  readonly at: "key" | "value";
  readonly problem: string;
}

/** More than a person mends in one go; a document that is wrong throughout only costs memory. */
const MAX_FINDINGS_PER_DOCUMENT = 200;

export class Findings {
  readonly #found: Finding[] = [];

  error(path: Path, problem: string, at: Finding["at"] = "value"): void {
    this.#add({ severity: "error", path, at, problem });
  }

  warn(path: Path, problem: string, at: Finding["at"] = "value"): void {
    this.#add({ severity: "warning", path, at, problem });
  }

  #add(finding: Finding): void {
    if (!this.isFull) this.#found.push(finding);
  }

  get all(): readonly Finding[] {
    return this.#found;
  }

  get isFull(): boolean {
    return this.#found.length >= MAX_FINDINGS_PER_DOCUMENT;
  }

  get hasErrors(): boolean {
    return this.#found.some((finding) => finding.severity === "error");
  }
}

/** A value in a message: JSON, cut short; `nothing` when there is none. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
