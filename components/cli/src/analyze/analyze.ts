/** All analyzers over a set of objects, and what of their messages is shown. Pure. */

import { MeshError } from "@meltemi/runtime";
import { nearestName } from "@meltemi/validation";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { ENROLMENT_ANALYZERS } from "./enrolment.ts";
import { HEALTH_ANALYZER } from "./mesh-health.ts";
import { isAtLeast, type Level, type Message, resourceName } from "./message.ts";
import { POLICY_ANALYZERS } from "./policies.ts";
import { REQUIREMENT_ANALYZER } from "./requirements.ts";
import { SCHEMA_ANALYZER } from "./schema.ts";
import { STATUS_ANALYZER } from "./status.ts";
import { TRAFFIC_ANALYZERS } from "./traffic.ts";
import { WAYPOINT_ANALYZERS } from "./waypoints.ts";

export const ANALYZERS: readonly Analyzer[] = [
  ...ENROLMENT_ANALYZERS,
  HEALTH_ANALYZER,
  ...WAYPOINT_ANALYZERS,
  REQUIREMENT_ANALYZER,
  ...POLICY_ANALYZERS,
  ...TRAFFIC_ANALYZERS,
  SCHEMA_ANALYZER,
  STATUS_ANALYZER,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

export interface Selection {
  /** Undefined: all. Messages about cluster-wide objects that carry its name count as the namespace's. */
  readonly namespace: string | undefined;
  /** Names of analyzers; empty: all. */
  readonly analyzers: readonly string[];
  readonly outputThreshold: Level;
  readonly suppressions: readonly Suppression[];
}

/** `CODE=Kind name.namespace`, with `*` for any text in the second part. */
export interface Suppression {
  readonly code: string;
  readonly resource: RegExp;
}

/** On an object: codes, with commas, or `*`. */
const SUPPRESS_ANNOTATION = "galley.istio.io/analyze-suppress";

/** Sorted by level, the worst first, then by object. */
export function analyze(context: AnalysisContext, selection: Selection): readonly Message[] {
  const wanted = chosenAnalyzers(selection.analyzers);
  const found = wanted.flatMap((analyzer) => [...analyzer.analyze(context)]);
  return found
    .filter(
      ({ type, object }) =>
        isIn(object, selection.namespace) &&
        isAtLeast(type.level, selection.outputThreshold) &&
        !isSuppressed(type.code, object, selection.suppressions),
    )
    .sort(
      (a, b) =>
        Number(isAtLeast(b.type.level, a.type.level)) - Number(isAtLeast(a.type.level, b.type.level)) ||
        compare(a.type.code, b.type.code) ||
        compare(resourceName(a.object), resourceName(b.object)) ||
        compare(a.text, b.text),
    );
}

function chosenAnalyzers(names: readonly string[]): readonly Analyzer[] {
  for (const name of names) {
    if (ANALYZERS.some((one) => one.name === name)) continue;
    const near = nearestName(
      name,
      ANALYZERS.map((one) => one.name),
    );
    throw new MeshError(
      "INPUT_INVALID",
      `--analyzer ${name}: there is no such analyzer${near === undefined ? "; see --list-analyzers" : `; did you mean ${near}?`}`,
    );
  }
  return names.length === 0 ? ANALYZERS : ANALYZERS.filter(({ name }) => names.includes(name));
}

function isIn(object: MeshObject, namespace: string | undefined): boolean {
  if (namespace === undefined) return true;
  return object.namespace === ""
    ? object.kind !== "Namespace" || object.name === namespace
    : object.namespace === namespace;
}

function isSuppressed(code: string, object: MeshObject, suppressions: readonly Suppression[]): boolean {
  const annotated = object.annotations[SUPPRESS_ANNOTATION]?.split(",").map((one) => one.trim()) ?? [];
  if (annotated.includes("*") || annotated.includes(code)) return true;
  return suppressions.some((one) => one.code === code && one.resource.test(resourceName(object)));
}

/** Throws INPUT_INVALID. */
export function parseSuppression(text: string): Suppression {
  const match = /^([A-Z]{3}\d{4})=(.+)$/s.exec(text);
  const [, code, resource] = match ?? [];
  if (code === undefined || resource === undefined)
    throw new MeshError(
      "INPUT_INVALID",
      `--suppress ${JSON.stringify(text.slice(0, 100))}: expected CODE=<Kind> <name>.<namespace>`,
    );
  const pattern = resource.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return { code, resource: new RegExp(`^${pattern.join("[^]*")}$`) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
