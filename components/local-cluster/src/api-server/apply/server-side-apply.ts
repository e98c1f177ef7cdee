/** Server-side apply: the decision of what a configuration makes of the live object, and who owns what afterwards. Pure. */
import { clone, isObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Cause } from "../refusal.ts";
import type { Schema } from "../schema/schema.ts";
import { difference, type FieldPath, type FieldSet, shownPath, without } from "./field-set.ts";
import { isSame, type Manager, type ManagerIdentity, readManagers } from "./managers.ts";
import { mergeApplied, removePlaces } from "./merge.ts";
import { type Half, ownable, setManagers, timeOf } from "./track.ts";

export interface ApplyInput {
  readonly schema: Schema;
  /** Undefined when there is none yet. */
  readonly live: KubeObject | undefined;
  /** What the applier wants, and nothing else. */
  readonly applied: KubeObject;
  readonly manager: ManagerIdentity;
  readonly half: Half;
  readonly force: boolean;
  readonly now: string;
}

export type Applied =
  | { readonly kind: "merged"; readonly object: KubeObject }
  | { readonly kind: "conflict"; readonly causes: readonly Cause[] };

export function applyConfiguration(input: ApplyInput): Applied {
  const { schema, live, manager } = input;
  const wanted: FieldSet = new Set(ownable(schema, input.applied, input.half).keys());
  const managers = readManagers(live?.metadata["managedFields"]);
  const own = managers.find((candidate) => isSame(candidate, manager));
  const others = managers.filter((candidate) => candidate !== own);
  const merged = mergeApplied(
    schema,
    live === undefined ? {} : withoutManagers(live),
    withoutManagers(input.applied),
  ) as KubeObject;
  const abandoned = without(own?.fields ?? new Set(), wanted);
  removePlaces(schema, merged, abandoned, ownedBy([wanted, ...others.map((other) => other.fields)]));

  const after = ownable(schema, merged, input.half);
  const { changed, removed } = difference(
    live === undefined ? new Map() : ownable(schema, live, input.half),
    after,
  );
  const disputed = new Set([...changed].filter((path) => wanted.has(path)));
  const causes = others.flatMap((other) => conflictsWith(other, disputed));
  if (causes.length > 0 && !input.force) {
    return { kind: "conflict", causes };
  }
  const kept = others
    .map((other) => ({ ...other, fields: without(other.fields, disputed, removed) }))
    .filter((other) => other.fields.size > 0);
  const mine: Manager = { ...manager, fields: wanted, time: timeOf(own, wanted, input.now) };
  setManagers(merged, wanted.size === 0 ? kept : [mine, ...kept]);
  return { kind: "merged", object: merged };
}

/** A place is held by who owns it, or anything below it. */
function ownedBy(sets: readonly FieldSet[]): (path: FieldPath) => boolean {
  const places = new Set<FieldPath>();
  for (const set of sets) {
    for (const path of set) {
      places.add(path);
      for (let cut = path.lastIndexOf("\0"); cut > 0; cut = path.lastIndexOf("\0", cut - 1))
        places.add(path.slice(0, cut));
    }
  }
  return (path) => places.has(path);
}

function conflictsWith(other: Manager, disputed: FieldSet): Cause[] {
  const part = other.subresource === "" ? "" : ` with subresource ${JSON.stringify(other.subresource)}`;
  const since = other.operation === "Update" && other.time !== "" ? ` using ${other.apiVersion}` : "";
  return [...disputed]
    .filter((path) => other.fields.has(path))
    .map((path) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${JSON.stringify(other.name)}${part}${since}`,
      field: shownPath(path),
    }));
}

function withoutManagers(object: KubeObject): KubeObject {
  const copy = clone(object);
  if (isObject(copy.metadata)) delete copy.metadata["managedFields"];
  return copy;
}
