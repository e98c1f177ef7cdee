/** What a route asks of a request, on one line: `/api*`, `header x=1`. Pure. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";

/** All matches of a route; `/*` for one that takes every request. */
export function describeMatches(route: Json): string {
  const matches = objectsAt(route, "matches");
  return matches.length === 0 ? "/*" : matches.map(describeMatch).join(" || ");
}

function describeMatch(match: Json): string {
  const path = jsonAt(match, "path");
  const parts = [
    path === undefined ? "/*" : describePath(path),
    ...["method", "scheme", "authority"].flatMap((key) => {
      const wanted = jsonAt(match, key);
      return wanted === undefined ? [] : [`${key} ${describeText(wanted)}`];
    }),
    ...objectsAt(match, "headers").map((header) => describeNamed("header", header)),
    ...objectsAt(match, "queryParams").map((parameter) => describeNamed("query", parameter)),
  ];
  const source = jsonAt(match, "source");
  if (source !== undefined) parts.push(`source ${JSON.stringify(source)}`);
  return parts.join(" ");
}

function describePath(path: Json): string {
  const value = textAt(path, "value");
  switch (textAt(path, "kind")) {
    case "exact":
      return value;
    case "elements":
      return value === "/" ? "/*" : `${value}[/*]`;
    case "prefix":
      return `${value}*`;
    default:
      return `regex ${textAt(path, "pattern")}`;
  }
}

function describeNamed(what: string, named: Json): string {
  const not = textAt(named, "invert") === "true" ? "not " : "";
  return `${not}${what} ${textAt(named, "name")}${suffixOf(jsonAt(named, "match"))}`;
}

function suffixOf(match: Json | undefined): string {
  return match === undefined || textAt(match, "kind") === "present" ? "" : `=${describeText(match)}`;
}

function describeText(match: Json): string {
  const value = textAt(match, "value");
  switch (textAt(match, "kind")) {
    case "exact":
      return value;
    case "prefix":
      return `${value}*`;
    case "suffix":
      return `*${value}`;
    case "present":
      return "*";
    default:
      return `regex ${textAt(match, "pattern")}`;
  }
}

/** What becomes of a request that a route takes. */
export function describeAction(route: Json): string {
  const action = jsonAt(route, "action");
  const targets = objectsAt(action ?? route, "targets");
  switch (textAt(action, "kind")) {
    case "redirect":
      return `redirect ${textAt(action, "status")}`;
    case "respond":
      return `respond ${textAt(action, "status")}`;
    default:
      return (
        targets.map((target) => describeTarget(target, targets.length > 1)).join(", ") || "no destination"
      );
  }
}

function describeTarget(weighted: Json, withWeight: boolean): string {
  const target = jsonAt(weighted, "target");
  const text = textAt(target, "cluster") || `invalid: ${textAt(target, "detail")}`;
  return withWeight ? `${text} (weight ${textAt(weighted, "weight")})` : text;
}
