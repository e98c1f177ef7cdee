/** Which policies concern a workload or a service, and who enforces them (reference: l7-and-cli §2.0, §2.1). Pure. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";
import { labelsMatch, matchLabelsOf, waypointOf } from "./ambient.ts";
import type { MeshObject, ObjectSet } from "./object-set.ts";

export interface PolicyTarget {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `targetRefs`, and the older `targetRef`. */
export function targetsOf({ spec, namespace }: MeshObject): readonly PolicyTarget[] {
  const single = jsonAt(spec, "targetRef");
  return [...objectsAt(spec, "targetRefs"), ...(single === undefined ? [] : [single])].map((ref) => ({
    kind: textAt(ref, "kind"),
    namespace: textAt(ref, "namespace") || namespace,
    name: textAt(ref, "name"),
  }));
}

/** Enforced where the connection ends: by selector, of the namespace, or of the mesh. */
export function selectsPod(policy: MeshObject, pod: MeshObject, rootNamespace: string): boolean {
  if (targetsOf(policy).length > 0) return false;
  if (policy.namespace !== pod.namespace && policy.namespace !== rootNamespace) return false;
  const wanted = matchLabelsOf(policy.spec);
  return wanted === undefined || labelsMatch(wanted, pod);
}

/** Enforced by the service's waypoint: by reference to the service, or to the waypoint, or to its class. */
export function targetsService(policy: MeshObject, service: MeshObject, objects: ObjectSet): boolean {
  const waypoint = waypointOf(service, objects);
  return targetsOf(policy).some((target) => {
    if (target.kind === "Service" || target.kind === "ServiceEntry")
      return (
        target.kind === service.kind && target.name === service.name && target.namespace === service.namespace
      );
    if (waypoint === undefined) return false;
    if (target.kind === "Gateway")
      return target.name === waypoint.name && target.namespace === waypoint.namespace;
    return target.kind === "GatewayClass" && target.name === textAt(waypoint.spec, "gatewayClassName");
  });
}

export function policyAction({ spec }: MeshObject): string {
  return textAt(spec, "action") || "ALLOW";
}

const L7_OPERATION = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"];
const L7_SOURCE = ["requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks"];
const L4_OPERATION = ["ports", "notPorts"];
const L4_SOURCE = ["principals", "namespaces", "serviceAccounts", "ipBlocks", "trustDomains"].flatMap(
  (name) => [name, `not${name.charAt(0).toUpperCase()}${name.slice(1)}`],
);
const L4_KEYS = ["source.ip", "source.namespace", "source.principal", "destination.ip", "destination.port"];

/** What becomes of a policy with HTTP fields where nothing reads HTTP, for after the fields' names. */
export function withoutHttpText(policy: MeshObject): string {
  const action = policyAction(policy);
  if (action === "ALLOW") return "make its rules match nothing, so that less is allowed than it says";
  if (action !== "DENY") return `are nothing to it, and neither is the action ${action}: it has NO EFFECT`;
  const rules = objectsAt(policy.spec, "rules");
  const inert = rules.filter(isInertWithoutHttp).length;
  if (inert === 0) return "are left out, so that more is denied than it says";
  return inert === rules.length
    ? "are left out and too little is left of its rules, so that it has NO EFFECT: nothing is denied"
    : `are left out, so that ${inert} of its ${rules.length} rules ${inert === 1 ? "has" : "have"} no effect and the others may deny more than they say`;
}

/** A `to`, a `from` or a condition of which nothing is left never holds, and with it its rule (reference: protocol §5.5). */
function isInertWithoutHttp(rule: Json): boolean {
  const isLeft = (json: Json | undefined, names: readonly string[]): boolean =>
    json !== undefined && names.some((name) => Object.hasOwn(json, name));
  const [to, from] = [objectsAt(rule, "to"), objectsAt(rule, "from")];
  return (
    (to.length > 0 && !to.some((each) => isLeft(jsonAt(each, "operation"), L4_OPERATION))) ||
    (from.length > 0 && !from.some((each) => isLeft(jsonAt(each, "source"), L4_SOURCE))) ||
    objectsAt(rule, "when").some((condition) => !L4_KEYS.includes(textAt(condition, "key")))
  );
}

/** Fields of an AuthorizationPolicy that only HTTP has: what ztunnel cannot read. */
export function httpFieldsOf({ spec }: MeshObject): readonly string[] {
  const fields = new Set<string>();
  const note = (json: Json | undefined, names: readonly string[]): void => {
    for (const name of names) if (json !== undefined && Object.hasOwn(json, name)) fields.add(name);
  };
  for (const rule of objectsAt(spec, "rules")) {
    for (const to of objectsAt(rule, "to")) note(jsonAt(to, "operation"), L7_OPERATION);
    for (const from of objectsAt(rule, "from")) note(jsonAt(from, "source"), L7_SOURCE);
    for (const when of objectsAt(rule, "when")) {
      const key = textAt(when, "key");
      if (!L4_KEYS.includes(key)) fields.add(key);
    }
  }
  return [...fields].sort();
}
