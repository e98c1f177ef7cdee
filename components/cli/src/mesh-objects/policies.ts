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
      if (key.startsWith("request.") || key === "remote.ip" || key.startsWith("experimental."))
        fields.add(key);
    }
  }
  return [...fields].sort();
}
