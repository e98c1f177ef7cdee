/** Two sets of objects, compared one by one. Pure. */

import type { MeshObject } from "../mesh-objects/object-set.ts";
import { printable } from "../output/printable.ts";
import { declaredPart, differencesOf } from "./differences.ts";
import { differenceLines, type ShownDifference, withoutSecrets } from "./render-differences.ts";

export type ObjectDifference =
  | { readonly object: string; readonly kind: "missing"; readonly in: "a" | "b" }
  | { readonly object: string; readonly kind: "changed"; readonly differences: readonly ShownDifference[] };

/** Only what differs, by kind, namespace and name. */
export function compareObjects(
  a: readonly MeshObject[],
  b: readonly MeshObject[],
): readonly ObjectDifference[] {
  const [left, right] = [byName(a), byName(b)];
  const found: ObjectDifference[] = [];
  for (const name of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const [before, after] = [left.get(name), right.get(name)];
    if (before === undefined || after === undefined) {
      found.push({ object: name, kind: "missing", in: before === undefined ? "a" : "b" });
      continue;
    }
    const differences = differencesOf(declaredPart(before.raw), declaredPart(after.raw));
    if (differences.length > 0)
      found.push({ object: name, kind: "changed", differences: withoutSecrets(before.kind, differences) });
  }
  return found;
}

/** `Deployment:istio-system:istiod`, as Istio names objects here. */
function byName(objects: readonly MeshObject[]): ReadonlyMap<string, MeshObject> {
  return new Map(objects.map((one) => [`${one.kind}:${one.namespace}:${one.name}`, one]));
}

/** `names` are what the two sides are called. */
export function renderComparison(
  comparison: readonly ObjectDifference[],
  names: readonly [string, string],
): readonly string[] {
  if (comparison.length === 0) return ["Manifests are identical"];
  return comparison.flatMap((one) => {
    const object = printable(one.object);
    if (one.kind === "missing") return [`Object ${object} is missing in ${names[one.in === "a" ? 0 : 1]}`];
    return [
      `Object ${object} has diffs:`,
      ...one.differences.flatMap(differenceLines).map((line) => `  ${line}`),
    ];
  });
}
