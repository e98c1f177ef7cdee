/** What of an AuthorizationPolicy's targetRefs some waypoint serves (reference: l7-and-cli §1.5, §1.9). */

import type { TargetRef } from "@meltemi/resources";
import { bindingKey, waypointKey } from "./binding-report.ts";
import type { AuthorizationPolicyFacts } from "./facts.ts";
import type { Compilation } from "./workload-parts.ts";

export type TargetOutcome =
  /** `to`: a waypoint as `namespace/name`, or a GatewayClass. */
  | { readonly kind: "bound"; readonly to: string }
  | { readonly kind: "notBound" }
  | { readonly kind: "notFound" }
  | { readonly kind: "invalid"; readonly problem: string };

export interface TargetReport {
  readonly reference: TargetRef;
  /** `namespace/name`, or the name of a GatewayClass. */
  readonly key: string;
  readonly outcome: TargetOutcome;
}

/** The verdict on a policy with targetRefs. */
export interface WaypointVerdict {
  readonly kind: "targets";
  readonly targets: readonly TargetReport[];
}

export const MESH_CONTROLLER = "istio.io/mesh-controller";

export function reportTargets(
  source: Pick<AuthorizationPolicyFacts, "namespace" | "targetRefs">,
  compilation: Compilation,
): WaypointVerdict {
  const targets = source.targetRefs.map((reference): TargetReport => {
    const isClass = reference.kind === "GatewayClass";
    return {
      reference,
      key: isClass ? reference.name : `${source.namespace}/${reference.name}`,
      outcome: outcomeOf(reference, source.namespace, compilation),
    };
  });
  return { kind: "targets", targets };
}

function outcomeOf(reference: TargetRef, namespace: string, compilation: Compilation): TargetOutcome {
  const { inputs, read } = compilation;
  const object = { namespace, name: reference.name };
  switch (`${reference.kind}.${reference.group}`) {
    case "Gateway.gateway.networking.k8s.io":
      return gatewayOutcome(waypointKey(object), compilation);
    case "GatewayClass.gateway.networking.k8s.io":
      return classOutcome(reference.name, namespace, compilation);
    case "Service.":
    case "Service.core":
      if (read.get(inputs.services, `${namespace}/${reference.name}`) === undefined)
        return { kind: "notFound" };
      return serviceOutcome(bindingKey("Service", object), compilation);
    case "ServiceEntry.networking.istio.io":
      if (read.get(inputs.serviceEntries, `${namespace}/${reference.name}`) === undefined)
        return { kind: "notFound" };
      return serviceOutcome(bindingKey("ServiceEntry", object), compilation);
    default:
      return {
        kind: "invalid",
        problem: `targetRef ${reference.kind}.${reference.group || "core"}: expected Gateway, GatewayClass, Service or ServiceEntry`,
      };
  }
}

function gatewayOutcome(key: string, { outputs, read }: Compilation): TargetOutcome {
  const waypoint = read.get(outputs.waypoints, key);
  if (waypoint === undefined) return { kind: "notFound" };
  if (waypoint.controllerName === MESH_CONTROLLER) return { kind: "bound", to: key };
  return {
    kind: "invalid",
    problem: `Gateway ${key} is of class ${waypoint.className}, expected one of controller ${MESH_CONTROLLER}`,
  };
}

function classOutcome(
  name: string,
  namespace: string,
  { inputs, read, settings }: Compilation,
): TargetOutcome {
  if (namespace !== settings.rootNamespace)
    return {
      kind: "invalid",
      problem: `GatewayClass ${name} may be targeted from the root namespace ${settings.rootNamespace} only`,
    };
  const gatewayClass = read.get(inputs.gatewayClasses, name);
  if (gatewayClass === undefined) return { kind: "notFound" };
  if (gatewayClass.controllerName === MESH_CONTROLLER) return { kind: "bound", to: name };
  return {
    kind: "invalid",
    problem: `GatewayClass ${name} is of controller ${gatewayClass.controllerName}, expected ${MESH_CONTROLLER}`,
  };
}

function serviceOutcome(key: string, { outputs, read }: Compilation): TargetOutcome {
  const binding = read.get(outputs.waypointBindings, key)?.binding;
  return binding?.kind === "bound"
    ? { kind: "bound", to: waypointKey(binding.waypoint) }
    : { kind: "notBound" };
}
