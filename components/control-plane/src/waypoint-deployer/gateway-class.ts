/** The GatewayClasses that this control plane serves (reference: l7-and-cli §1.1). */

import type { Gateway, GatewayClass } from "@meltemi/kubernetes";
import { MESH_CONTROLLER } from "../compile/policy-targets.ts";
import type { ConditionContent } from "../status/condition.ts";

/** Label `gateway.istio.io/managed` of what is made for a Gateway. */
export const MANAGED_BY = "istio.io-mesh-controller";

export const WAYPOINT_CLASS: GatewayClass = {
  metadata: { name: "istio-waypoint" },
  spec: { controllerName: MESH_CONTROLLER, description: "The default Istio waypoint GatewayClass" },
};

/** By its class's controller; a class that is not there yet is known by its name. A class of that name may be another's. */
export function isWaypointGateway(gateway: Gateway, gatewayClass: GatewayClass | undefined): boolean {
  if (gatewayClass !== undefined) return gatewayClass.spec?.controllerName === MESH_CONTROLLER;
  return gateway.spec?.gatewayClassName === WAYPOINT_CLASS.metadata?.name;
}

export function decideClassConditions(gatewayClass: GatewayClass): readonly ConditionContent[] {
  return [
    {
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: "Handled by Istio controller",
      observedGeneration: gatewayClass.metadata?.generation ?? 0,
    },
  ];
}
