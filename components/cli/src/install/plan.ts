/** What an installation would do to a cluster: the shape of a plan, and its text. Pure. */

import { differenceLines, type ShownDifference } from "../diff/render-differences.ts";
import { printable } from "../output/printable.ts";
import type { TakenOver } from "./conflicts.ts";

export interface PlannedObject {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export type Change =
  | { readonly kind: "create"; readonly object: PlannedObject }
  | {
      readonly kind: "change";
      readonly object: PlannedObject;
      readonly differences: readonly ShownDifference[];
      /** Fields that others have set, and that become the installer's. */
      readonly takenOver: readonly TakenOver[];
      /** Of helm, whose the object is so far. */
      readonly release?: string;
    }
  | { readonly kind: "keep"; readonly object: PlannedObject }
  /** Somebody else's: it stays as it is. */
  | { readonly kind: "leave"; readonly object: PlannedObject; readonly why: string }
  /** The configuration no longer renders it. */
  | { readonly kind: "prune"; readonly object: PlannedObject };

export type Plan = readonly Change[];

export type PlanCounts = Readonly<Record<Change["kind"], number>>;

/** Of one object; a definition of a kind may differ in hundreds of places. */
const MAX_DIFFERENCES = 12;

export function countPlan(plan: Plan): PlanCounts {
  const counts = { create: 0, change: 0, keep: 0, leave: 0, prune: 0 };
  for (const { kind } of plan) counts[kind] += 1;
  return counts;
}

/** `Deployment istio-system/istiod` */
export function objectText({ kind, namespace, name }: PlannedObject): string {
  return printable(`${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`);
}

/** A line for each object that would change, with what would. */
export function renderPlan(plan: Plan): readonly string[] {
  const { create, change, keep, prune } = countPlan(plan);
  const changes = [...plan.flatMap(changeLines), ...relabelLine(plan)];
  if (create + change + prune === 0)
    return [...changes, `Nothing would change: ${keep} objects are as rendered`];
  return [...changes, `Plan: ${create} to create, ${change} to change, ${prune} to prune, ${keep} unchanged`];
}

function changeLines(change: Change): readonly string[] {
  const name = objectText(change.object);
  switch (change.kind) {
    case "keep":
      return [];
    case "create":
      return [`  + ${name}`];
    case "leave":
      return [`  = ${name}: left as it is, ${change.why}`];
    case "prune":
      return [`  - ${name}: no longer rendered, it will be removed`];
    case "change": {
      if (isRelabel(change)) return [];
      const telling = change.differences.filter((one) => !isBookkeeping(one));
      const shown = telling.slice(0, MAX_DIFFERENCES);
      const more = telling.length - shown.length;
      return [
        `  ~ ${name}`,
        ...shown.flatMap(differenceLines).map((line) => `      ${line}`),
        ...(more > 0 ? [`      … and ${more} more`] : []),
        ...change.takenOver.map(
          ({ manager, fields }) =>
            `      takes over what ${printable(manager)} has set: ${printable(fields.join(", "))}`,
        ),
      ];
    }
  }
}

/** Labels by which an installation knows its objects: they change with each version, and say nothing else. */
const BOOKKEEPING = new Set([
  "install.operator.istio.io/owning-resource",
  "operator.istio.io/component",
  "operator.istio.io/managed",
  "operator.istio.io/version",
  "istio.io/rev",
  "app.kubernetes.io/managed-by",
  "app.kubernetes.io/part-of",
]);

function isBookkeeping({ path, before, after }: ShownDifference): boolean {
  const label = /^metadata\.labels\["(.*)"\]$/s.exec(path)?.[1];
  if (label !== undefined) return BOOKKEEPING.has(label);
  if (path !== "metadata.labels") return false;
  return [before, after].every((labels) => Object.keys(labels ?? {}).every((key) => BOOKKEEPING.has(key)));
}

function isRelabel(change: Change): boolean {
  return change.kind === "change" && change.takenOver.length === 0 && change.differences.every(isBookkeeping);
}

function relabelLine(plan: Plan): readonly string[] {
  const count = plan.filter(isRelabel).length;
  return count === 0 ? [] : [`  ~ ${count} objects: only the labels of the installation`];
}

/** What loses its part of the data path when it is pruned, and is told of in capitals. */
export function pruneWarnings(plan: Plan): readonly string[] {
  const lost = plan.filter(({ kind, object }) => kind === "prune" && object.kind === "DaemonSet");
  if (lost.length === 0) return [];
  return [
    `WARNING: ${lost.map(({ object }) => objectText(object)).join(" and ")} will be removed from every node: pods leave the mesh, and new connections go in plaintext.`,
    "         To keep it, give the values it was installed with, for example --set profile=ambient.",
  ];
}

/** Two owners of the same objects undo each other's work. */
export function releaseWarnings(plan: Plan): readonly string[] {
  const releases = new Set(
    plan.flatMap((change) => (change.kind === "change" && change.release ? [change.release] : [])),
  );
  if (releases.size === 0) return [];
  return [
    `WARNING: helm installed this (${printable([...releases].sort().join(", "))}): its next upgrade finds conflicts, and helm uninstall removes what is installed now.`,
    "         Change it with helm upgrade: manifest translate makes values of the same flags.",
  ];
}
