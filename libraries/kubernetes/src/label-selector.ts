/** Label selectors, both forms: the object of a spec and the text of a query (Kubernetes "Labels and Selectors"). */

import type { LabelSelector } from "kubernetes-types/meta/v1.js";

export type { LabelSelector };

export type Labels = Readonly<Record<string, string>>;

export type Requirement =
  | { readonly kind: "in" | "notIn"; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: "exists" | "absent"; readonly key: string };

export type SelectorResult =
  | { readonly kind: "ok"; readonly requirements: readonly Requirement[] }
  | { readonly kind: "invalid"; readonly problem: string };

/** All requirements must hold. As in Kubernetes, `notIn` holds for an object without the label. */
export function matchesRequirements(
  requirements: readonly Requirement[],
  labels: Labels | undefined,
): boolean {
  return requirements.every((requirement) => {
    const value =
      labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.kind) {
      case "exists":
        return value !== undefined;
      case "absent":
        return value === undefined;
      case "in":
        return value !== undefined && requirement.values.includes(value);
      case "notIn":
        return value === undefined || !requirement.values.includes(value);
      default:
        return false;
    }
  });
}

/** True when the labels satisfy the selector of a spec. Absent selects nothing, empty selects everything; an invalid one nothing. */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Labels | undefined,
): boolean {
  if (selector === undefined) return false;
  const parsed = requirementsOf(selector);
  return parsed.kind === "ok" && matchesRequirements(parsed.requirements, labels);
}

/** True when every label of the map is there: `spec.selector` of a Service. An absent or empty map selects nothing. */
export function matchesLabels(wanted: Labels | undefined, labels: Labels | undefined): boolean {
  if (wanted === undefined || Object.keys(wanted).length === 0) return false;
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}

/** `matchLabels` and `matchExpressions` as one list. */
export function requirementsOf(selector: LabelSelector): SelectorResult {
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    kind: "in",
    key,
    values: [value],
  }));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const requirement = expression(key, operator, values);
    if (requirement === undefined)
      return {
        kind: "invalid",
        problem: `matchExpressions: ${key}: ${operator} with ${values.length} values`,
      };
    requirements.push(requirement);
  }
  return { kind: "ok", requirements };
}

function expression(key: string, operator: string, values: readonly string[]): Requirement | undefined {
  if (operator === "Exists" || operator === "DoesNotExist")
    return values.length > 0 ? undefined : { kind: operator === "Exists" ? "exists" : "absent", key };
  if (operator === "In" || operator === "NotIn")
    return values.length === 0 ? undefined : { kind: operator === "In" ? "in" : "notIn", key, values };
  return undefined;
}

/** Text of a selector for a `labelSelector` query. */
export function formatRequirements(requirements: readonly Requirement[]): string {
  return requirements.map(formatRequirement).join(",");
}

function formatRequirement(requirement: Requirement): string {
  switch (requirement.kind) {
    case "exists":
      return requirement.key;
    case "absent":
      return `!${requirement.key}`;
    case "in":
      return `${requirement.key} in (${requirement.values.join(",")})`;
    case "notIn":
      return `${requirement.key} notin (${requirement.values.join(",")})`;
    default:
      return "";
  }
}

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** A selector is typed by a person or written in a spec; this is far beyond either. */
const SELECTOR_LIMIT_CHARACTERS = 64 * 1024;

/** Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`. An empty text selects everything. */
export function parseSelector(text: string): SelectorResult {
  if (text.length > SELECTOR_LIMIT_CHARACTERS) return { kind: "invalid", problem: "selector is too long" };
  const requirements: Requirement[] = [];
  if (text.trim() === "") return { kind: "ok", requirements };
  // Commas inside parentheses belong to a set.
  for (const part of text.split(/,(?![^(]*\))/)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined)
      return { kind: "invalid", problem: `${JSON.stringify(part)} is not a label requirement` };
    requirements.push(requirement);
  }
  return { kind: "ok", requirements };
}

function parseRequirement(text: string): Requirement | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null)
    return checked({
      kind: set[2] === "in" ? "in" : "notIn",
      key: set[1] ?? "",
      values: (set[3] ?? "").split(",").map((value) => value.trim()),
    });
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(text);
  if (equality !== null)
    return checked({
      kind: equality[2] === "!=" ? "notIn" : "in",
      key: equality[1] ?? "",
      values: [equality[3] ?? ""],
    });
  return text.startsWith("!")
    ? checked({ kind: "absent", key: text.slice(1).trim() })
    : checked({ kind: "exists", key: text });
}

function checked(requirement: Requirement): Requirement | undefined {
  if (!KEY.test(requirement.key)) return undefined;
  if ("values" in requirement && !requirement.values.every((value) => VALUE.test(value))) return undefined;
  return requirement;
}
