/** Which kind has which rules beyond its schema. */

import type { Findings } from "../findings.ts";
import type { Path } from "../path.ts";
import { checkAuthorizationPolicy } from "./authorization-policy.ts";
import { checkDestinationRule } from "./destination-rule.ts";
import { checkServers } from "./gateway.ts";
import { checkTargets, type TargetedSpec } from "./targets.ts";
import { checkVirtualService } from "./virtual-service.ts";

/** Judges a spec that its schema found sound; `path` leads to it. */
export type KindRules = (spec: unknown, path: Path, findings: Findings) => void;

const targeted: KindRules = (spec, path, findings) => checkTargets(spec as TargetedSpec, path, findings);

/** By `group/kind`. */
export const KIND_RULES: Readonly<Record<string, KindRules>> = {
  "security.istio.io/AuthorizationPolicy": checkAuthorizationPolicy,
  "security.istio.io/RequestAuthentication": targeted,
  "telemetry.istio.io/Telemetry": targeted,
  "meltemi.io/RateLimitPolicy": targeted,
  "networking.istio.io/VirtualService": checkVirtualService,
  "networking.istio.io/DestinationRule": checkDestinationRule,
  "networking.istio.io/Gateway": checkServers,
};
