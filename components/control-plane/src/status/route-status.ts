/** What a route's status says of each parent that is a service (reference: l7-and-cli §1.9). Pure. */

import type { FaultReport } from "../compile/l7/object-fault.ts";
import type { ParentReport, RouteReport, RouteVerdict } from "../compile/l7/route-report.ts";
import { parentKey } from "../compile/l7/target-keys.ts";
import { faultText } from "./applied-status.ts";
import { type ConditionContent, mergeCondition, type StoredCondition } from "./condition.ts";

/** Istio's name for who writes this, so that tools which wait for it find it. */
export const ROUTE_CONTROLLER = "istio.io/gateway-controller";

/** What became of a route; `report` is of the form that is in force. */
export interface RouteState {
  readonly report: RouteReport | undefined;
  readonly fault: FaultReport | undefined;
}

export interface ParentStatus {
  readonly parentRef: ParentReport["parentRef"];
  readonly controllerName: string;
  readonly conditions: readonly StoredCondition[];
}

/**
 * The list to store, or undefined when what is stored says it all. The list is one value to Kubernetes: entries of other
 * controllers stay as they are.
 */
export function decideParents(
  stored: readonly ParentStatus[],
  { report, fault }: RouteState,
  now: string,
): readonly ParentStatus[] | undefined {
  const others = stored.filter(({ controllerName }) => controllerName !== ROUTE_CONTROLLER);
  const before = stored.filter(({ controllerName }) => controllerName === ROUTE_CONTROLLER);
  const wanted = fault === undefined ? readableParents(report) : unreadableParents(fault);
  const ours = wanted.map((parent) => parentStatus(parent, before, now));
  const isSame = ours.length === before.length && ours.every((parent, at) => parent === before[at]);
  return isSame ? undefined : [...others, ...ours];
}

/** Of a parent that is a service. */
interface WantedParent {
  readonly parentRef: Reference;
  readonly contents: readonly ConditionContent[];
}

function readableParents(report: RouteReport | undefined): readonly WantedParent[] {
  if (report === undefined) return [];
  return report.parents.map((parent) => ({
    parentRef: parent.parentRef,
    contents: contentsOf(parent, report.generation),
  }));
}

/** Nothing more is said of it: what is in force is another form. */
function unreadableParents(fault: FaultReport): readonly WantedParent[] {
  const accepted: ConditionContent = {
    type: "Accepted",
    status: "False",
    reason: "UnsupportedValue",
    message: faultText(fault),
    observedGeneration: fault.generation,
  };
  return fault.parentRefs
    .filter((parent) => parentKey(parent, fault.namespace) !== undefined)
    .map((parentRef) => ({ parentRef, contents: [accepted] }));
}

/** The stored one when it says what is wanted. */
function parentStatus(
  { parentRef, contents }: WantedParent,
  before: readonly ParentStatus[],
  now: string,
): ParentStatus {
  const known = before.find((each) => sameReference(each.parentRef, parentRef));
  const conditions = contents.map((content) =>
    mergeCondition(
      known?.conditions.find(({ type }) => type === content.type),
      content,
      now,
    ),
  );
  const isSame =
    known !== undefined &&
    known.conditions.length === conditions.length &&
    conditions.every((condition) => known.conditions.includes(condition));
  return isSame ? known : { parentRef, controllerName: ROUTE_CONTROLLER, conditions };
}

function contentsOf(report: ParentReport, observedGeneration: number): readonly ConditionContent[] {
  const content = (type: string, { holds, reason, message }: RouteVerdict): ConditionContent => ({
    type,
    status: holds ? "True" : "False",
    reason,
    message,
    observedGeneration,
  });
  return [
    content("Accepted", report.accepted),
    content("ResolvedRefs", report.resolvedRefs),
    content("ResolvedWaypoints", report.resolvedWaypoints),
  ];
}

type Reference = ParentReport["parentRef"];

function sameReference(a: Reference, b: Reference): boolean {
  const fields = ["group", "kind", "namespace", "name", "port", "sectionName"] as const;
  return fields.every((field) => a[field] === b[field]);
}

/** Entries of a stored status, as far as they are such. */
export function parentsOf(status: unknown): readonly ParentStatus[] {
  const { parents } = (status ?? {}) as { readonly parents?: unknown };
  if (!Array.isArray(parents)) return [];
  return parents.filter(
    (parent): parent is ParentStatus =>
      typeof parent === "object" &&
      parent !== null &&
      typeof parent.controllerName === "string" &&
      typeof parent.parentRef === "object" &&
      parent.parentRef !== null &&
      Array.isArray(parent.conditions),
  );
}
