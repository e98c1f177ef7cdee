/** Differences for people: one line each, texts of several lines by line, long values cut, and no value of a Secret. Pure. */

import { printable } from "../output/printable.ts";
import type { Difference } from "./differences.ts";
import { lineChanges } from "./line-changes.ts";

const MAX_VALUE_CHARACTERS = 120;
/** Of one text: a screen holds them with what is around. */
const MAX_CHANGED_LINES = 20;

export interface ShownDifference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What a Secret holds is nobody's to read on a screen, in a log, or in a file that is sent around. */
export function withoutSecrets(kind: string, differences: readonly Difference[]): readonly ShownDifference[] {
  return differences.map(({ path, before, after }) => {
    const isSecret = kind === "Secret" && /^(?:data|stringData)(?:[.[]|$)/.test(path);
    return {
      path,
      ...(before !== undefined && { before: isSecret ? HIDDEN : before }),
      ...(after !== undefined && { after: isSecret ? HIDDEN : after }),
    };
  });
}

const HIDDEN = "(not shown)";

/** As {@link differenceText}; what a text of several lines loses and gains stands below, a line each. */
export function differenceLines(difference: ShownDifference): readonly string[] {
  const { path, before, after } = difference;
  const [from, to] = [before ?? "", after ?? ""];
  if (typeof from !== "string" || typeof to !== "string" || !`${from}${to}`.trim().includes("\n"))
    return [differenceText(difference)];
  const sign = before === undefined ? "+" : after === undefined ? "-" : "~";
  const changes = lineChanges(from, to);
  const shown = changes
    .slice(0, MAX_CHANGED_LINES)
    .map((change) => `    ${change.sign} ${cut(printable(change.line), 0)}`);
  const more = changes.length - shown.length;
  return [
    `${sign} ${printable(path)}:`,
    ...shown,
    ...(more > 0 ? [`    … and ${more} more ${more === 1 ? "line" : "lines"}`] : []),
  ];
}

/** `+ path: value`, `- path: value`, `~ path: before → after`. */
export function differenceText({ path, before, after }: ShownDifference): string {
  if (before === undefined) return `+ ${printable(path)}: ${valueText(after)}`;
  if (after === undefined) return `- ${printable(path)}: ${valueText(before)}`;
  const [from, to] = changedPart(valueText(before), valueText(after));
  return before === HIDDEN
    ? `~ ${printable(path)}: changed ${HIDDEN}`
    : `~ ${printable(path)}: ${from} → ${to}`;
}

function valueText(value: unknown): string {
  if (value === HIDDEN) return HIDDEN;
  return printable(typeof value === "string" && value !== "" ? value : (JSON.stringify(value) ?? ""));
}

/** Of two long values, the part around the place where they begin to differ. */
function changedPart(before: string, after: string): readonly [string, string] {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  const from = Math.max(0, same - MAX_VALUE_CHARACTERS / 4);
  return [cut(before, from), cut(after, from)];
}

function cut(text: string, from: number): string {
  if (text.length <= MAX_VALUE_CHARACTERS) return text;
  const part = text.slice(from, from + MAX_VALUE_CHARACTERS);
  return `${from > 0 ? "…" : ""}${part}${from + part.length < text.length ? "…" : ""}`;
}
