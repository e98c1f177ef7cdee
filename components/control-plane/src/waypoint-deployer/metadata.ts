/** Names, labels and annotations of what is made for a Gateway (reference: l7-and-cli §1.6, §1.7). */

import type { Gateway } from "@meltemi/kubernetes";
import { serviceAccountOf } from "../sources/gateways.ts";
import { MANAGED_BY } from "./gateway-class.ts";
import type { DeployerSettings } from "./settings.ts";

type Texts = Readonly<Record<string, string>>;

export const GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name";
export const MANAGED_LABEL = "gateway.istio.io/managed";
export const CONTROLLER_VERSION_ANNOTATION = "gateway.istio.io/controller-version";
/** Of ours: `"true"` gives a Gateway two replicas, spread, a disruption budget and an autoscaler; `"false"` refuses the default. */
export const HIGH_AVAILABILITY_ANNOTATION = "meltemi.io/high-availability";

export interface WaypointMetadata {
  readonly namespace: string;
  /** Of the Deployment, the Service, the autoscaler and the budget. */
  readonly name: string;
  readonly serviceAccount: string;
  readonly gatewayName: string;
  readonly labels: Texts;
  readonly annotations: Texts;
  readonly ownerReference: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
  };
}

/** What a Gateway says about itself, or about how it is deployed, is not for what it is made of. */
const DROPPED_ANNOTATIONS: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "gateway.istio.io/name-override",
  "gateway.istio.io/service-account",
  CONTROLLER_VERSION_ANNOTATION,
]);
const RESERVED_PREFIX = "gateway.networking.k8s.io/";

export function waypointMetadata(gateway: Gateway, settings: DeployerSettings): WaypointMetadata {
  const { name: gatewayName = "", namespace = "", uid = "" } = gateway.metadata ?? {};
  const name = generatedName(gateway);
  const network: Texts = settings.network === "" ? {} : { "topology.istio.io/network": settings.network };
  return {
    namespace,
    name,
    serviceAccount: serviceAccountOf(gateway),
    gatewayName,
    labels: {
      ...network,
      ...infrastructureLabels(gateway),
      [GATEWAY_NAME_LABEL]: gatewayName,
      "gateway.networking.k8s.io/gateway-class-name": gateway.spec?.gatewayClassName ?? "",
      [MANAGED_LABEL]: MANAGED_BY,
    },
    annotations: infrastructureAnnotations(gateway),
    ownerReference: { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: gatewayName, uid },
  };
}

/** Name of the Deployment and Service. */
export function generatedName(gateway: Gateway): string {
  return annotationOf(gateway, "gateway.istio.io/name-override") ?? gateway.metadata?.name ?? "";
}

function infrastructureLabels(gateway: Gateway): Texts {
  return filtered(
    gateway.spec?.infrastructure?.labels ?? gateway.metadata?.labels ?? {},
    (key) => !key.startsWith(RESERVED_PREFIX),
  );
}

function infrastructureAnnotations(gateway: Gateway): Texts {
  return filtered(
    gateway.spec?.infrastructure?.annotations ?? gateway.metadata?.annotations ?? {},
    (key) => !key.startsWith(RESERVED_PREFIX) && !DROPPED_ANNOTATIONS.has(key),
  );
}

/** Empty counts as not given. */
export function annotationOf(gateway: Gateway, name: string): string | undefined {
  return gateway.metadata?.annotations?.[name] || undefined;
}

function filtered(texts: Texts, keep: (key: string) => boolean): Texts {
  return Object.fromEntries(Object.entries(texts).filter(([key]) => keep(key)));
}
