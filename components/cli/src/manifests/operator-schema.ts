/** Schema of an IstioOperator's `spec`: its own fields, and under `values` those of the charts (reference: l7-and-cli §3.1). */

import { CHARTS } from "./generated/charts.ts";
import { pick, type Tree, treeAt } from "./tree.ts";

/** Keys of `values` that are of the mesh and not of one component, with the chart that says what they are. */
const SHARED = {
  base: ["base", "defaultRevision", "experimental"],
  istiod: [
    ...["compatibilityVersion", "gatewayClasses", "gateways", "istiodRemote", "meshConfig", "ownerName"],
    ...["platform", "profile", "revision", "revisionTags", "sidecarInjectorWebhook", "telemetry", "global"],
  ],
} as const;

const TEXT: Tree = { type: ["string", "number"] };
const COMPONENT: Tree = closed({
  enabled: { type: "boolean" },
  namespace: { type: "string" },
  hub: TEXT,
  tag: TEXT,
  k8s: { type: "object" },
});

export const OPERATOR_SCHEMA: Tree = closed({
  profile: { type: "string" },
  hub: TEXT,
  tag: TEXT,
  namespace: { type: "string" },
  revision: propertiesOf("istiod")["revision"],
  compatibilityVersion: TEXT,
  // Refused with a reason of its own.
  installPackagePath: {},
  meshConfig: propertiesOf("istiod")["meshConfig"],
  components: closed({
    base: COMPONENT,
    pilot: COMPONENT,
    cni: COMPONENT,
    ztunnel: COMPONENT,
    istiodRemote: COMPONENT,
    ingressGateways: {},
    egressGateways: {},
  }),
  values: closed({
    ...pick(propertiesOf("base"), SHARED.base),
    ...pick(propertiesOf("istiod"), SHARED.istiod),
    pilot: treeAt(propertiesOf("istiod"), "pilot"),
    cni: treeAt(propertiesOf("cni"), "cni"),
    ztunnel: treeAt(propertiesOf("ztunnel"), "ztunnel"),
  }),
});

function propertiesOf(chart: keyof typeof CHARTS): Tree {
  return treeAt(CHARTS[chart].schema, "properties");
}

function closed(properties: Tree): Tree {
  return { type: "object", properties, additionalProperties: false };
}
