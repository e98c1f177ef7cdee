/** What a ztunnel logs and counts from some moment on. */

import assert from "node:assert/strict";
import { eventually } from "@meltemi/testkit";

/** Expected values of fields; `undefined` means that the field is absent. */
export type ExpectedFields = Readonly<Record<string, string | RegExp | undefined>>;

export interface Watch {
  /** Waits for a line of the access log that has all these fields. */
  line(expected: ExpectedFields): Promise<Readonly<Record<string, string>>>;
  /** Lines of the access log so far that have all these fields. */
  lines(expected: ExpectedFields): readonly Readonly<Record<string, string>>[];
  /** How much the samples of `name` with all of `labels` have grown. */
  count(name: string, labels?: Readonly<Record<string, string>>): number;
  /** Waits until they have grown by exactly `value`. */
  counted(name: string, labels: Readonly<Record<string, string>>, value: number): Promise<void>;
}

export function startWatch(name: string, log: readonly string[], metrics: () => string): Watch {
  const from = log.length;
  const before = metrics();
  const parsed = (): Readonly<Record<string, string>>[] =>
    log
      .slice(from)
      .filter((line) => line.includes("\taccess\t"))
      .map(fieldsOf);
  const lines: Watch["lines"] = (expected) => parsed().filter((fields) => matches(fields, expected));
  const count: Watch["count"] = (family, labels = {}) =>
    sample(metrics(), family, labels) - sample(before, family, labels);
  return {
    lines,
    count,
    line: (expected) =>
      eventually(() => {
        const [found] = lines(expected);
        assert.ok(
          found,
          `${name}: no line with ${JSON.stringify(expected, (_, value) => (value instanceof RegExp ? String(value) : value))} in:\n${log.slice(from).join("")}`,
        );
        return found;
      }),
    async counted(family, labels, value) {
      await eventually(() => {
        assert.equal(count(family, labels), value, `${name}: ${family} ${JSON.stringify(labels)}`);
        return true;
      });
    },
  };
}

function matches(fields: Readonly<Record<string, string>>, expected: ExpectedFields): boolean {
  return Object.entries(expected).every(([key, value]) => {
    const actual = fields[key];
    if (value === undefined || actual === undefined) return value === actual;
    return typeof value === "string" ? actual === value : value.test(actual);
  });
}

/** `key=value` pairs after the message; quotes are taken off. The level is there as `level`, the message as `message`. */
function fieldsOf(line: string): Readonly<Record<string, string>> {
  const [, level = "", , message = "", pairs = ""] = line.trimEnd().split("\t");
  const fields: Record<string, string> = { level, message };
  for (const [, key = "", quoted, bare = ""] of pairs.matchAll(/([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g))
    fields[key] = quoted ?? bare;
  return fields;
}

/** Sum of the samples of `name` whose labels contain all of `labels`. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    const fits = Object.entries(labels).every(([key, value]) =>
      [`{${key}="${value}"`, `,${key}="${value}"`].some((pair) => line.includes(pair)),
    );
    if (fits) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
