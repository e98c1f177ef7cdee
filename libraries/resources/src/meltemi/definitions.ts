/** The CRDs of our own kinds. */

import { AGE, type Definition } from "../definition.ts";
import { ISTIO_STATUS } from "../istio/status.ts";
import { RATE_LIMIT_POLICY_SPEC } from "./rate-limit-policy.ts";

export const MELTEMI_DEFINITIONS: readonly Definition[] = [
  {
    group: "meltemi.io",
    kind: "RateLimitPolicy",
    plural: "ratelimitpolicies",
    shortNames: ["rlp"],
    categories: ["meltemi"],
    versions: ["v1alpha1"],
    // Uninstalling must not delete the limits that protect a cluster.
    annotations: { "helm.sh/resource-policy": "keep" },
    columns: [
      {
        name: "Enforced",
        type: "string",
        jsonPath: '.status.conditions[?(@.type=="WaypointAccepted")].status',
      },
      AGE,
      { name: "Message", type: "string", jsonPath: ".status.conditions[0].message", priority: 1 },
    ],
    spec: RATE_LIMIT_POLICY_SPEC,
    specRequired: true,
    status: ISTIO_STATUS,
  },
];
