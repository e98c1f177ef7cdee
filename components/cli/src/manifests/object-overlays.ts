/**
 * `components.<name>.k8s.overlays` of an IstioOperator: changes of rendered objects by path, for what no value reaches. Paths are Istio's:
 * keys parted by dots, `[name:discovery]` for an item of a list by a field of it, `[:text]` by itself, `[0]` by its place. Pure.
 */

import type { Manifest } from "./objects.ts";
import { isTree } from "./tree.ts";

export interface ObjectOverlay {
  readonly kind: string;
  readonly name: string;
  readonly patches: readonly ObjectPatch[];
}

interface ObjectPatch {
  readonly path: string;
  readonly steps: readonly Step[];
  /** null and undefined remove what is there. */
  readonly value: unknown;
}

type Step =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "match"; readonly field: string; readonly value: string };

export interface OverlaysResult {
  readonly overlays: readonly ObjectOverlay[];
  readonly problems: readonly string[];
}

/** More than any object's depth. */
const MAX_STEPS = 32;

export function readOverlays(value: unknown): OverlaysResult {
  if (value === undefined) return { overlays: [], problems: [] };
  const problems: string[] = [];
  const overlays = (Array.isArray(value) ? value : [value]).flatMap(
    (each, index): readonly ObjectOverlay[] => {
      const at = `overlays[${index}]`;
      if (!isTree(each) || typeof each["kind"] !== "string" || typeof each["name"] !== "string") {
        problems.push(`${at}: expected kind, name and patches, got ${JSON.stringify(each)}`);
        return [];
      }
      const patches = (Array.isArray(each["patches"]) ? each["patches"] : []).flatMap(
        (patch): readonly ObjectPatch[] => {
          const path = isTree(patch) ? patch["path"] : undefined;
          const steps = typeof path === "string" ? readPath(path) : undefined;
          if (typeof path === "string" && steps !== undefined)
            return [{ path, steps, value: (patch as { value?: unknown }).value }];
          problems.push(
            `${at}: expected a path such as spec.template.spec.containers[name:discovery].args, got ${JSON.stringify(path)}`,
          );
          return [];
        },
      );
      return [{ kind: each["kind"], name: each["name"], patches }];
    },
  );
  return { overlays, problems };
}

function readPath(path: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  // A dot before a bracket is Istio's older spelling; `\.` is a dot inside a key.
  for (const [, list, word] of path.matchAll(/\.?\[([^\]]*)\]|\.?((?:\\.|[^.[\]])+)/g)) {
    if (word !== undefined) steps.push({ kind: "key", key: word.replaceAll("\\.", ".") });
    else if (list !== undefined && /^\d{1,6}$/.test(list)) steps.push({ kind: "index", index: Number(list) });
    else if (list?.includes(":")) {
      const colon = list.indexOf(":");
      steps.push({ kind: "match", field: list.slice(0, colon), value: list.slice(colon + 1) });
    } else return undefined;
  }
  return steps.length === 0 || steps.length > MAX_STEPS ? undefined : steps;
}

export interface PatchedObjects {
  readonly objects: readonly Manifest[];
  readonly problems: readonly string[];
}

/** Overlays that meet no object, or no place in it, are problems: they were meant to change something. */
export function patchObjects(
  objects: readonly Manifest[],
  overlays: readonly ObjectOverlay[],
): PatchedObjects {
  const problems: string[] = [];
  let result = objects;
  for (const { kind, name, patches } of overlays) {
    const found = result.find((object) => object.kind === kind && object.metadata.name === name);
    if (found === undefined) {
      problems.push(`overlay of ${kind}/${name}: no such object is rendered`);
      continue;
    }
    let changed: unknown = found;
    for (const { path, steps, value } of patches) {
      const next = patched(changed, steps, value);
      if (next === undefined) problems.push(`overlay of ${kind}/${name}: ${path} leads nowhere`);
      else changed = next.value;
    }
    result = result.map((object) => (object === found ? (changed as Manifest) : object));
  }
  return { objects: result, problems };
}

/** A copy of `node` with the place changed; undefined when the path leads nowhere. */
function patched(
  node: unknown,
  steps: readonly Step[],
  value: unknown,
): { readonly value: unknown } | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return { value };
  if (step.kind === "key") {
    const map = node === undefined ? {} : node;
    if (!isTree(map)) return undefined;
    const below = patched(Object.hasOwn(map, step.key) ? map[step.key] : undefined, rest, value);
    if (below === undefined) return undefined;
    const entries = Object.entries(map).filter(([key]) => key !== step.key);
    return {
      value: Object.fromEntries(isGone(below.value) ? entries : [...entries, [step.key, below.value]]),
    };
  }
  if (!Array.isArray(node)) return undefined;
  const index = step.kind === "index" ? step.index : node.findIndex((item) => fits(item, step));
  if (index < 0 || index > node.length) return undefined;
  const below = patched(node[index], rest, value);
  if (below === undefined) return undefined;
  return { value: node.toSpliced(index, 1, ...(isGone(below.value) ? [] : [below.value])) };
}

function fits(item: unknown, { field, value }: Extract<Step, { kind: "match" }>): boolean {
  return String(field === "" ? item : isTree(item) ? item[field] : undefined) === value;
}

function isGone(value: unknown): boolean {
  return value === undefined || value === null;
}
