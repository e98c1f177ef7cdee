/** Which variables a process reads, and what it takes where they are not set: its own reader is watched while it reads nothing. */

import { EnvironmentReader, MeshError } from "../../libraries/runtime/src/index.ts";

export interface ReadVariable {
  readonly name: string;
  readonly type: string;
  /** As it would be written; undefined where the reader is given none. */
  readonly fallback: string | undefined;
}

type Method =
  | "text"
  | "optionalText"
  | "requiredText"
  | "flag"
  | "integer"
  | "port"
  | "durationMs"
  | "oneOf"
  | "withPrefix";
type Arguments = readonly unknown[];

const DESCRIBE: Readonly<Record<Method, (given: Arguments) => Omit<ReadVariable, "name">>> = {
  text: ([, fallback]) => ({ type: "text", fallback: String(fallback) }),
  optionalText: () => ({ type: "text", fallback: undefined }),
  requiredText: () => ({ type: "text, required", fallback: undefined }),
  flag: ([, fallback]) => ({ type: "true or false", fallback: String(fallback) }),
  integer: ([, fallback, min, max]) => ({ type: `number, ${min}–${max}`, fallback: String(fallback) }),
  port: ([, fallback]) => ({ type: "port", fallback: String(fallback) }),
  durationMs: ([, fallback]) => ({ type: "duration", fallback: durationText(Number(fallback)) }),
  oneOf: ([, choices, fallback]) => ({
    type: (choices as readonly string[]).join(", "),
    fallback: String(fallback),
  }),
  withPrefix: () => ({ type: "prefix", fallback: undefined }),
};

/** Runs each of `reads`, and tells every variable that they asked an {@link EnvironmentReader} for, in order. */
export function recordVariables(...reads: readonly (() => unknown)[]): readonly ReadVariable[] {
  const found = new Map<string, ReadVariable>();
  const prototype = EnvironmentReader.prototype as unknown as Record<
    Method,
    (...given: Arguments) => unknown
  >;
  const originals = { ...methodsOf(prototype) };
  let depth = 0;
  for (const method of Object.keys(DESCRIBE) as Method[]) {
    prototype[method] = function (this: EnvironmentReader, ...given) {
      // A flag asks for its text: only the outer question counts.
      if (depth === 0) note(found, method, given);
      depth += 1;
      try {
        return originals[method].apply(this, [...given]);
      } finally {
        depth -= 1;
      }
    };
  }
  try {
    for (const read of reads) readNothing(read);
  } finally {
    Object.assign(prototype, originals);
  }
  return [...found.values()];
}

function readNothing(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    // What is required was not given; readers ask for everything before they complain.
    if (!(error instanceof MeshError) || error.code !== "CONFIG_INVALID") throw error;
  }
}

function methodsOf<T extends object>(prototype: T): T {
  return Object.fromEntries(Object.keys(DESCRIBE).map((name) => [name, prototype[name as keyof T]])) as T;
}

function note(found: Map<string, ReadVariable>, method: Method, given: Arguments): void {
  const name = `${String(given[0])}${method === "withPrefix" ? "*" : ""}`;
  const before = found.get(name);
  const now = { name, ...DESCRIBE[method](given) };
  // Some are asked first whether they are there, and then as what they are.
  if (before === undefined || before.fallback === undefined) found.set(name, now);
}

const UNITS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

function durationText(ms: number): string {
  const [unit, size] = UNITS.find(([, each]) => ms >= each && ms % each === 0) ?? ["ms", 1];
  return ms === 0 ? "0" : `${ms / size}${unit}`;
}
