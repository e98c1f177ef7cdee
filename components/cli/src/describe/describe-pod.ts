/** `experimental describe pod`: what the mesh does with a pod, from objects alone (reference: l7-and-cli §3.6). Pure. */

import {
  DATAPLANE_MODE,
  isAmbientNamespace,
  isCaptured,
  modeOf,
  servicesOf,
  waypointOf,
  waypointRefOf,
} from "../mesh-objects/ambient.ts";
import { nodeWithoutZtunnel } from "../mesh-objects/mesh-health.ts";
import type { MeshObject, ObjectSet } from "../mesh-objects/object-set.ts";
import { httpFieldsOf, policyAction, selectsPod, withoutHttpText } from "../mesh-objects/policies.ts";
import { jsonAt, objectsAt, textAt } from "../output/json.ts";
import { describeServiceLines } from "./describe-service.ts";

export interface DescribeContext {
  readonly objects: ObjectSet;
  readonly rootNamespace: string;
}

const RULE = "--------------------";

export function describePod(pod: MeshObject, context: DescribeContext): readonly string[] {
  const { objects } = context;
  const services = servicesOf(pod, objects);
  return [
    `Pod: ${pod.name}.${pod.namespace}`,
    ...placeLines(pod, context),
    ...services.flatMap((service) => [RULE, ...describeServiceLines(service, context)]),
    ...(services.length === 0
      ? [RULE, "No Service selects this pod: clients reach it by its address only."]
      : []),
    RULE,
    ...mtlsLines(pod, context),
    ...policyLines(pod, context),
  ];
}

function placeLines(pod: MeshObject, context: DescribeContext): readonly string[] {
  const { objects } = context;
  const account = textAt(pod.spec, "serviceAccountName") || "default";
  const ports = objectsAt(pod.spec, "containers").flatMap((container) =>
    objectsAt(container, "ports").map(
      (port) => `${textAt(port, "containerPort")} (${textAt(container, "name")})`,
    ),
  );
  const node = textAt(pod.spec, "nodeName");
  return [
    `   Data plane: ${modeText(pod, context)}${node === "" ? "" : `, on node ${node}`}`,
    `   Identity: spiffe://cluster.local/ns/${pod.namespace}/sa/${account} (in the default trust domain)`,
    ...(ports.length === 0 ? [] : [`   Pod Ports: ${ports.join(", ")}`]),
    ...podWaypointLines(pod, objects),
  ];
}

function modeText(pod: MeshObject, { objects, rootNamespace }: DescribeContext): string {
  switch (modeOf(pod, objects)) {
    case "sidecar":
      return "sidecar";
    case "ambient":
      if (nodeWithoutZtunnel(pod, objects, rootNamespace) !== undefined)
        return "ambient and captured, but NO READY ztunnel runs on its node: its connections fail";
      return isCaptured(pod)
        ? "ambient: its traffic goes through its node's ztunnel"
        : "ambient by its labels, but NOT captured: its traffic does not go through ztunnel (is istio-cni-node running on its node?)";
    case "none":
      return `not in the mesh (${whyNot(pod, objects)})`;
  }
}

function whyNot(pod: MeshObject, objects: ObjectSet): string {
  if (textAt(pod.spec, "hostNetwork") === "true") return "it is on its node's network";
  if (pod.labels[DATAPLANE_MODE] === "none") return `its own label ${DATAPLANE_MODE}=none`;
  if (pod.labels[DATAPLANE_MODE] === "ambient" || isAmbientNamespace(pod.namespace, objects))
    return `namespace ${pod.namespace} is left out of every mesh`;
  return `no label ${DATAPLANE_MODE}=ambient on it or on namespace ${pod.namespace}`;
}

function podWaypointLines(pod: MeshObject, objects: ObjectSet): readonly string[] {
  const waypoint = waypointOf(pod, objects);
  if (waypoint !== undefined) return [`   Waypoint for its address: ${waypoint.namespace}/${waypoint.name}`];
  const ref = pod.labels["istio.io/use-waypoint"] === undefined ? undefined : waypointRefOf(pod, objects);
  return ref === undefined
    ? []
    : [
        `   WARNING: its label names waypoint ${ref.namespace}/${ref.name}, which does not serve workloads or is not there`,
      ];
}

function mtlsLines(pod: MeshObject, { objects, rootNamespace }: DescribeContext): readonly string[] {
  // The nearest one that says a mode wins: of the workload, the namespace, the mesh.
  const found = objects
    .all("PeerAuthentication")
    .filter((policy) => selectsPod(policy, pod, rootNamespace))
    .map((policy) => ({
      policy,
      mode: textAt(jsonAt(policy.spec, "mtls"), "mode") || "UNSET",
      rank: rankOf(policy, rootNamespace),
    }))
    .sort((a, b) => b.rank - a.rank);
  const effective = found.find(({ mode }) => mode !== "UNSET");
  const applied = found.map(({ policy }) => `${policy.name}.${policy.namespace}`).join(", ");
  const exceptions = Object.entries(jsonAt(found[0]?.policy.spec, "portLevelMtls") ?? {});
  return [
    "Effective PeerAuthentication:",
    `   Workload mTLS mode: ${effective?.mode ?? "PERMISSIVE"}`,
    ...exceptions.map(
      ([port, level]) => `   Port ${port}: ${textAt(level as Record<string, unknown>, "mode")}`,
    ),
    ...(applied === "" ? [] : ["Applied PeerAuthentication:", `   ${applied}`]),
  ];
}

function rankOf(policy: MeshObject, rootNamespace: string): number {
  return jsonAt(policy.spec, "selector") !== undefined ? 2 : policy.namespace === rootNamespace ? 0 : 1;
}

/** Policies that its ztunnel enforces, in the order in which they are asked. */
function policyLines(pod: MeshObject, { objects, rootNamespace }: DescribeContext): readonly string[] {
  const order = ["CUSTOM", "DENY", "ALLOW", "AUDIT"];
  const policies = objects
    .all("AuthorizationPolicy")
    .filter((policy) => selectsPod(policy, pod, rootNamespace))
    .sort((a, b) => order.indexOf(policyAction(a)) - order.indexOf(policyAction(b)));
  if (policies.length === 0)
    return ["Authorization policies at its ztunnel: none, so that everybody may connect"];
  return [
    "Authorization policies at its ztunnel, in order:",
    ...policies.map((policy) => {
      const fields = httpFieldsOf(policy);
      const note =
        fields.length === 0
          ? ""
          : ` (ztunnel reads no HTTP: ${fields.join(", ")} ${withoutHttpText(policy)})`;
      return `   ${policyAction(policy).padEnd(6)} ${policy.namespace}/${policy.name}${note}`;
    }),
  ];
}
