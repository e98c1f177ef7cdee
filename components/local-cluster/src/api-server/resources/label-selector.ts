/** Matching a LabelSelector object (matchLabels, matchExpressions) against labels. */
import { type Json, listAt, textAt, textMapAt } from "../json.ts";

export function selectorMatches(
  selector: Json | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(textMapAt(selector, "matchLabels"));
  if (!wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)) return false;
  return listAt(selector, "matchExpressions").every((term) => expressionMatches(term, labels));
}

function expressionMatches(term: Json, labels: Readonly<Record<string, string>>): boolean {
  const key = textAt(term, "key") ?? "";
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  const values = listAt(term, "values");
  switch (textAt(term, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
