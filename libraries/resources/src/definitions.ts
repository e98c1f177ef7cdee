/** Every CustomResourceDefinition that the mesh installs. */

import { manifestOf } from "./definition.ts";
import { GATEWAY_API_DEFINITIONS } from "./gateway-api/definitions.ts";
import { ISTIO_DEFINITIONS } from "./istio/definitions.ts";
import { MELTEMI_DEFINITIONS } from "./meltemi/definitions.ts";

/** Istio's kinds and our own, as plain JSON manifests in a fixed order. */
export function istioDefinitions(): readonly object[] {
  return [...ISTIO_DEFINITIONS, ...MELTEMI_DEFINITIONS].map(manifestOf);
}

/** Gateway API's kinds. A cluster may have them from elsewhere, newer: install only what is missing. */
export function gatewayApiDefinitions(): readonly object[] {
  return GATEWAY_API_DEFINITIONS.map(manifestOf);
}

/** All of them. */
export function customResourceDefinitions(): readonly object[] {
  return [...istioDefinitions(), ...gatewayApiDefinitions()];
}
