/** Label and field selectors of list and watch requests, parsed once into plain terms. */

import { textMapAt } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { nameOf, namespaceOf } from "./kube-object.ts";
import { badRequest } from "./refusal.ts";

export type LabelTerm =
  | { readonly kind: "in" | "not-in"; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: "exists" | "absent"; readonly key: string }
  | { readonly kind: "greater" | "less"; readonly key: string; readonly bound: number };

export interface FieldTerm {
  readonly path: string;
  readonly equals: boolean;
  readonly value: string;
}

/** Selectors come in a URL; longer ones than this are no honest question. */
const MAX_SELECTOR_LENGTH = 16 * 1024;

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`. An empty text selects everything.
 * @throws Refusal 400 naming what was found and what was expected
 */
export function parseLabelSelector(text: string): readonly LabelTerm[] {
  if (text.length > MAX_SELECTOR_LENGTH)
    throw badRequest(`label selector: longer than ${MAX_SELECTOR_LENGTH} characters`);
  return splitOutsideParentheses(text).map(parseLabelTerm);
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "," && depth === 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
    if (depth < 0 || depth > 1) throw unparsable(text, "parentheses that match");
  }
  if (depth !== 0) throw unparsable(text, "a closing parenthesis");
  const last = text.slice(start).trim();
  if (last === "" && parts.length === 0) return [];
  return [...parts, last];
}

function parseLabelTerm(text: string): LabelTerm {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) {
    const values = (set[3] ?? "").split(",").map((value) => checkValue(value.trim(), text));
    return { kind: set[2] === "in" ? "in" : "not-in", key: checkKey(set[1] ?? "", text), values };
  }
  const compared = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*(\S*)$/.exec(text);
  if (compared) return comparison(compared[1] ?? "", compared[2] ?? "", compared[3] ?? "", text);
  if (text.startsWith("!")) return { kind: "absent", key: checkKey(text.slice(1).trim(), text) };
  return { kind: "exists", key: checkKey(text, text) };
}

function comparison(rawKey: string, operator: string, value: string, text: string): LabelTerm {
  const key = checkKey(rawKey, text);
  if (operator === ">" || operator === "<") {
    if (!/^-?\d{1,15}$/.test(value)) throw unparsable(text, "a whole number after < or >");
    return { kind: operator === ">" ? "greater" : "less", key, bound: Number(value) };
  }
  return { kind: operator === "!=" ? "not-in" : "in", key, values: [checkValue(value, text)] };
}

function checkKey(key: string, text: string): string {
  if (!KEY.test(key)) throw unparsable(text, "a label key");
  return key;
}

function checkValue(value: string, text: string): string {
  if (!VALUE.test(value)) throw unparsable(text, "a label value");
  return value;
}

function unparsable(text: string, expected: string): Error {
  return badRequest(
    `unable to parse requirement: ${JSON.stringify(text.slice(0, 200))}: expected ${expected}`,
  );
}

export function matchesLabels(
  terms: readonly LabelTerm[],
  labels: Readonly<Record<string, string>>,
): boolean {
  return terms.every((term) =>
    matchesTerm(term, Object.hasOwn(labels, term.key) ? labels[term.key] : undefined),
  );
}

function matchesTerm(term: LabelTerm, value: string | undefined): boolean {
  switch (term.kind) {
    case "in":
      return value !== undefined && term.values.includes(value);
    case "not-in":
      return value === undefined || !term.values.includes(value);
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "greater":
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > term.bound;
    case "less":
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < term.bound;
  }
}

/**
 * Parses `metadata.name=a,spec.nodeName!=b`. Values may hold `\,`, `\=` and `\\`.
 * @throws Refusal 400
 */
export function parseFieldSelector(text: string): readonly FieldTerm[] {
  if (text.length > MAX_SELECTOR_LENGTH)
    throw badRequest(`field selector: longer than ${MAX_SELECTOR_LENGTH} characters`);
  const terms: FieldTerm[] = [];
  for (const part of text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? []) {
    const found = /^([^=!\\]+)(==|=|!=)((?:\\[\s\S]|[^\\=])*)$/.exec(part);
    if (!found)
      throw badRequest(`invalid selector: ${JSON.stringify(part.slice(0, 200))}; can't understand it`);
    const value = (found[3] ?? "").replaceAll(/\\([\s\S])/g, "$1");
    terms.push({ path: found[1] ?? "", equals: found[2] !== "!=", value });
  }
  return terms;
}

/** Reads the fields that a resource offers to field selectors. */
export type FieldReader = (path: string) => ((object: KubeObject) => string) | undefined;

export function fieldReader(
  selectable: Readonly<Record<string, (object: KubeObject) => string>>,
): FieldReader {
  return (path) => {
    if (path === "metadata.name") return nameOf;
    if (path === "metadata.namespace") return namespaceOf;
    return Object.hasOwn(selectable, path) ? selectable[path] : undefined;
  };
}

export type Selection = (object: KubeObject) => boolean;

/**
 * One predicate of both selectors.
 * @throws Refusal 400 when a field is not one that this resource offers
 */
export function selectionOf(
  labelSelector: string,
  fieldSelector: string,
  fields: FieldReader,
): Selection | undefined {
  const labels = parseLabelSelector(labelSelector);
  const compared = parseFieldSelector(fieldSelector).map((term) => {
    const read = fields(term.path);
    if (read === undefined) throw badRequest(`field label not supported: ${term.path}`);
    return (object: KubeObject): boolean => (read(object) === term.value) === term.equals;
  });
  if (labels.length === 0 && compared.length === 0) return undefined;
  return (object) =>
    matchesLabels(labels, textMapAt(object, "metadata", "labels")) && compared.every((test) => test(object));
}
