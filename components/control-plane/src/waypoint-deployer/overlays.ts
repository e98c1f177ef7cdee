/** Changes that users make to what is rendered: strategic merge patches in ConfigMaps (reference: l7-and-cli §1.8). Pure. */

import type { ConfigMap } from "@meltemi/kubernetes";
import { describeError, MeshError } from "@meltemi/runtime";
import { parse } from "yaml";
import { sameValue } from "../compile/same-value.ts";
import { PARTS, type Part } from "./render.ts";
import { isTree, strategicMerge, type Tree } from "./strategic-merge.ts";

/** A ConfigMap may hold a megabyte; a document that says more by aliases than it is long is an attack. */
const MAX_ALIASES = 100;

/** Throws INPUT_INVALID for a key that is no part of a waypoint, and for what is not a map in YAML. */
export function readOverlays(map: ConfigMap): ReadonlyMap<Part, Tree> {
  const source = `ConfigMap ${map.metadata?.namespace}/${map.metadata?.name}`;
  const overlays = new Map<Part, Tree>();
  for (const [key, text] of Object.entries(map.data ?? {})) {
    const part = PARTS.find((known) => known === key);
    if (part === undefined) throw invalid(`${source}: ${key}: expected one of ${PARTS.join(", ")}`);
    const tree = parseTree(text, `${source}: ${key}`);
    if (tree !== undefined) overlays.set(part, tree);
  }
  return overlays;
}

function parseTree(text: string, where: string): Tree | undefined {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw invalid(`${where}: not YAML: ${describeError(cause)}`);
  }
  if (value === null || value === undefined) return undefined;
  if (!isTree(value)) throw invalid(`${where}: expected a map`);
  return value;
}

/** What an object is, and whose, is not for an overlay to change. */
const FIXED_METADATA = ["name", "generateName", "namespace", "ownerReferences", "finalizers", "uid"] as const;

/** Throws INPUT_INVALID when the patch makes no sense, or touches what it must not. */
export function applyOverlay(object: Tree, patch: Tree): Tree {
  const result = strategicMerge(object, patch);
  const before = metadataOf(object);
  const after = metadataOf(result);
  for (const field of FIXED_METADATA)
    if (!sameValue(before[field], after[field])) throw invalid(`illegal metadata change: ${field}`);
  for (const field of ["apiVersion", "kind"])
    if (object[field] !== result[field]) throw invalid(`illegal change: ${field}`);
  return result;
}

function metadataOf(object: Tree): Tree {
  return isTree(object["metadata"]) ? object["metadata"] : {};
}

function invalid(problem: string): MeshError {
  return new MeshError("INPUT_INVALID", problem);
}
