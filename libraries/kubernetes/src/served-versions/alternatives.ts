/** Which other versions of a kind the mesh can read and write where a server does not serve the one that it prefers. Pure. */

import type { CustomObject, KubernetesObject, ResourceType } from "../resource-type.ts";
import { endpointSliceFromV1beta1 } from "./endpoint-slice.ts";

export interface Alternative {
  readonly version: string;
  /** An object of this version in the shape of the preferred one. Absent: the fields that the mesh uses are the same. */
  readonly toPreferred?: (object: CustomObject) => KubernetesObject;
}

const same = (...versions: readonly string[]): readonly Alternative[] =>
  versions.map((version) => ({ version }));

/**
 * In the order in which they are tried. Kubernetes before 1.21 has `policy` and `discovery.k8s.io` as v1beta1 only, before 1.23
 * autoscaling/v2 as v2beta2; Istio's definitions before 1.22 have v1beta1 only, those of the Gateway API came in steps.
 */
const ALTERNATIVES: ReadonlyMap<string, readonly Alternative[]> = new Map([
  ["discovery.k8s.io/endpointslices", [{ version: "v1beta1", toPreferred: endpointSliceFromV1beta1 }]],
  ["policy/poddisruptionbudgets", same("v1beta1")],
  ["autoscaling/horizontalpodautoscalers", same("v2beta2")],
  ["gateway.networking.k8s.io/gateways", same("v1beta1")],
  ["gateway.networking.k8s.io/gatewayclasses", same("v1beta1")],
  ["gateway.networking.k8s.io/httproutes", same("v1beta1")],
  ["gateway.networking.k8s.io/grpcroutes", same("v1alpha2")],
  ["gateway.networking.k8s.io/tcproutes", same("v1")],
  ["gateway.networking.k8s.io/tlsroutes", same("v1", "v1alpha3")],
  ...[
    "security.istio.io/authorizationpolicies",
    "security.istio.io/peerauthentications",
    "security.istio.io/requestauthentications",
    "networking.istio.io/serviceentries",
    "networking.istio.io/workloadentries",
    "networking.istio.io/virtualservices",
    "networking.istio.io/destinationrules",
  ].map((kind): [string, readonly Alternative[]] => [kind, same("v1beta1")]),
  ["telemetry.istio.io/telemetries", same("v1alpha1")],
]);

/** Empty for a kind that the mesh knows in one version only. */
export function alternativesOf({ group, plural }: ResourceType): readonly Alternative[] {
  return ALTERNATIVES.get(`${group}/${plural}`) ?? [];
}

/** Whether an answer to discovery (`GET /apis/<group>/<version>`, an APIResourceList) names the kind. */
export function servesKind(resourceList: unknown, { plural }: ResourceType): boolean {
  const { resources } = (resourceList ?? {}) as { readonly resources?: unknown };
  return Array.isArray(resources) && resources.some((each) => (each as { name?: unknown })?.name === plural);
}
