/** Values of API fields → those of the model. Pure. */

import type { HeaderEdit, NamedMatch, TextMatch } from "@meltemi/model/l7";
import type {
  HeaderModifierSpec,
  HeaderOperationsSpec,
  StringMatchSpec,
  ValueMatchSpec,
} from "@meltemi/resources";
import { parseDurationMs } from "@meltemi/runtime";

/** Whole milliseconds, up: what is asked for must not become nothing. Undefined when absent. */
export function durationMs(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDurationMs(text);
  return ms === undefined ? undefined : Math.ceil(ms);
}

/** A match without any field asks only that the value be there. */
export function textMatch(spec: StringMatchSpec, ignoreCase = false): TextMatch {
  const folded = ignoreCase ? { ignoreCase } : {};
  if (spec.exact !== undefined) return { kind: "exact", value: spec.exact, ...folded };
  if (spec.prefix !== undefined) return { kind: "prefix", value: spec.prefix, ...folded };
  if (spec.regex !== undefined) return { kind: "regex", pattern: spec.regex };
  return { kind: "present" };
}

/** Header and query parameter matches of Gateway API. */
export function valueMatches(
  specs: readonly ValueMatchSpec[] | undefined,
  nameOf: (name: string) => string,
): readonly NamedMatch[] {
  const seen = new Set<string>();
  return (specs ?? []).flatMap(({ name, type, value }): NamedMatch[] => {
    const key = nameOf(name);
    // Of several for one name, the first counts (Gateway API).
    if (seen.has(key)) return [];
    seen.add(key);
    const match: TextMatch =
      type === "RegularExpression" ? { kind: "regex", pattern: value } : { kind: "exact", value };
    return [{ name: key, match, invert: false }];
  });
}

/** Undefined when nothing is edited. */
export function headerOperations(spec: HeaderOperationsSpec | undefined): HeaderEdit | undefined {
  const entries = (values: Readonly<Record<string, string>> = {}): HeaderEdit["set"] =>
    Object.entries(values).map(([name, value]) => [headerName(name), value] as const);
  return orNothing({
    set: entries(spec?.set),
    add: entries(spec?.add),
    remove: (spec?.remove ?? []).map(headerName),
  });
}

export function headerModifier(spec: HeaderModifierSpec | undefined): HeaderEdit | undefined {
  const entries = (values: HeaderModifierSpec["set"] = []): HeaderEdit["set"] =>
    values.map(({ name, value }) => [headerName(name), value] as const);
  return orNothing({
    set: entries(spec?.set),
    add: entries(spec?.add),
    remove: (spec?.remove ?? []).map(headerName),
  });
}

/** HTTP/1's `host` is HTTP/2's `:authority`. */
function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === "host" ? ":authority" : lower;
}

function orNothing(edit: HeaderEdit): HeaderEdit | undefined {
  return edit.set.length + edit.add.length + edit.remove.length === 0 ? undefined : edit;
}

/** Both, the second after the first. */
export function joinEdits(a: HeaderEdit | undefined, b: HeaderEdit | undefined): HeaderEdit | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { set: [...a.set, ...b.set], add: [...a.add, ...b.add], remove: [...a.remove, ...b.remove] };
}
