/** One rule of a Role or ClusterRole: read from an object, held against an attempt, held against another rule. Pure. */
import type { Attempt } from "../identity/attempt.ts";
import { isObject, type Json, type JsonObject, listAt } from "../json.ts";

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
  readonly nonResourceUrls: readonly string[];
}

const EVERY = "*";

/** The rules of a role object; empty for anything that has none. */
export function rulesOf(role: Json | undefined): readonly PolicyRule[] {
  return listAt(role, "rules").filter(isObject).map(readRule);
}

function readRule(rule: JsonObject): PolicyRule {
  const texts = (key: string): readonly string[] =>
    listAt(rule, key).filter((item) => typeof item === "string");
  return {
    verbs: texts("verbs"),
    apiGroups: texts("apiGroups"),
    resources: texts("resources"),
    resourceNames: texts("resourceNames"),
    nonResourceUrls: texts("nonResourceURLs"),
  };
}

/** As it is written in an object; empty lists are left out. */
export function ruleJson(rule: PolicyRule): JsonObject {
  const list = (key: string, values: readonly string[]): JsonObject =>
    values.length === 0 ? {} : { [key]: [...values] };
  return {
    ...list("apiGroups", rule.apiGroups),
    ...list("nonResourceURLs", rule.nonResourceUrls),
    ...list("resourceNames", rule.resourceNames),
    ...list("resources", rule.resources),
    verbs: [...rule.verbs],
  };
}

/** Whether this rule alone allows the attempt. */
export function ruleAllows(rule: PolicyRule, attempt: Attempt): boolean {
  if (!hasOrEvery(rule.verbs, attempt.verb)) return false;
  if (attempt.kind === "path") return rule.nonResourceUrls.some((url) => urlMatches(url, attempt.path));
  return (
    hasOrEvery(rule.apiGroups, attempt.group) &&
    resourceMatches(rule.resources, attempt.resource, attempt.subresource) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(attempt.name))
  );
}

function hasOrEvery(allowed: readonly string[], asked: string): boolean {
  return allowed.includes(EVERY) || allowed.includes(asked);
}

/** A lone star is every resource with its subresources, a star and `/scale` that subresource of all; `pods` is never `pods/log`. */
function resourceMatches(allowed: readonly string[], resource: string, subresource: string): boolean {
  if (subresource === "") return hasOrEvery(allowed, resource);
  return hasOrEvery(allowed, `${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}

function urlMatches(allowed: string, path: string): boolean {
  if (allowed === EVERY || allowed === path) return true;
  return allowed.endsWith(EVERY) && path.startsWith(allowed.replace(/\*+$/, ""));
}

/** The parts of `wanted` that no rule of `held` covers, compacted as Kubernetes prints them: what a grant would escalate to. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return compact(wanted.flatMap(atoms).filter((atom) => !held.some((rule) => covers(rule, atom))));
}

/** One verb on one resource of one group (with one name), or on one path. */
function atoms(rule: PolicyRule): readonly PolicyRule[] {
  const none = { apiGroups: [], resources: [], resourceNames: [], nonResourceUrls: [] };
  const onResources = rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) => {
        const atom = { ...none, verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames.length === 0) return [atom];
        return rule.resourceNames.map((name) => ({ ...atom, resourceNames: [name] }));
      }),
    ),
  );
  const onPaths = rule.nonResourceUrls.flatMap((url) =>
    rule.verbs.map((verb) => ({ ...none, verbs: [verb], nonResourceUrls: [url] })),
  );
  return [...onResources, ...onPaths];
}

function covers(held: PolicyRule, atom: PolicyRule): boolean {
  const [verb = ""] = atom.verbs;
  if (!hasOrEvery(held.verbs, verb)) return false;
  const [url] = atom.nonResourceUrls;
  if (url !== undefined) return held.nonResourceUrls.some((allowed) => urlMatches(allowed, url));
  const [group = ""] = atom.apiGroups;
  const [combined = ""] = atom.resources;
  const slash = combined.indexOf("/");
  const inSubresource = slash >= 0 && held.resources.includes(`*/${combined.slice(slash + 1)}`);
  if (!hasOrEvery(held.apiGroups, group)) return false;
  if (!hasOrEvery(held.resources, combined) && !inSubresource) return false;
  const [name] = atom.resourceNames;
  if (held.resourceNames.length === 0) return true;
  return name !== undefined && held.resourceNames.includes(name);
}

/** Atoms that differ only in their verb become one rule. */
function compact(found: readonly PolicyRule[]): readonly PolicyRule[] {
  const merged = new Map<string, PolicyRule>();
  for (const atom of found) {
    const key = JSON.stringify([atom.apiGroups, atom.resources, atom.resourceNames, atom.nonResourceUrls]);
    const before = merged.get(key);
    const verbs = [...new Set([...(before?.verbs ?? []), ...atom.verbs])];
    merged.set(key, { ...atom, verbs });
  }
  return [...merged.values()];
}

/** `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}` */
export function ruleText(rule: PolicyRule): string {
  const part = (name: string, values: readonly string[]): string[] =>
    values.length === 0 ? [] : [`${name}:${quotedList(values)}`];
  const parts = [
    ...part("APIGroups", rule.apiGroups),
    ...part("Resources", rule.resources),
    ...part("NonResourceURLs", rule.nonResourceUrls),
    ...part("ResourceNames", rule.resourceNames),
    ...part("Verbs", rule.verbs),
  ];
  return `{${parts.join(", ")}}`;
}

/** `["a" "b"]`, as Go prints a list of texts. */
export function quotedList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
}
