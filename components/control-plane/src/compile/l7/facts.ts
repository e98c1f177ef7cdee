/** What L7 compilation reads of its kinds. Specs of routing stay in the form of their API; what follows from them is decided here. */

import type {
  DestinationRuleSpec,
  GatewayStreamRouteSpec,
  GRPCRouteSpec,
  HTTPRouteSpec,
  RateLimitPolicy,
  TargetRef,
  TelemetrySpec,
  TokenRule,
  VirtualServiceSpec,
} from "@meltemi/resources";

interface Aged {
  readonly namespace: string;
  readonly name: string;
  readonly createdMs: number;
  readonly generation: number;
}

export interface VirtualServiceFacts extends Aged {
  readonly spec: VirtualServiceSpec;
}

export interface DestinationRuleFacts extends Aged {
  readonly spec: DestinationRuleSpec;
}

/** A route of Gateway API, of any kind. */
export type RouteFacts =
  | (Aged & { readonly kind: "HTTPRoute"; readonly spec: HTTPRouteSpec })
  | (Aged & { readonly kind: "GRPCRoute"; readonly spec: GRPCRouteSpec })
  | (Aged & { readonly kind: "TCPRoute" | "TLSRoute"; readonly spec: GatewayStreamRouteSpec });

/** `targetRefs` empty: it has a selector, or is for its whole namespace. */
interface Targeted extends Aged {
  readonly targetRefs: readonly TargetRef[];
}

export interface RequestAuthenticationFacts extends Targeted {
  readonly rules: readonly TokenRule[];
}

export interface TelemetryFacts extends Targeted {
  /** It has a selector: waypoints have no part in it. */
  readonly hasSelector: boolean;
  readonly spec: TelemetrySpec;
}

export interface RateLimitPolicyFacts extends Targeted {
  readonly limits: RateLimitPolicy["limits"];
}

/** Keys of a token issuer as they were fetched last, under the URI or issuer that names them. */
export interface KeySetFacts {
  readonly source: string;
  /** JSON Web Key Set as text. */
  readonly jwks: string;
}

/** A Secret with what TLS needs; PEM. */
export interface CredentialFacts {
  readonly namespace: string;
  readonly name: string;
  /** The control plane may not read it, so that nothing else is known of it. */
  readonly isForbidden?: true;
  readonly certificateChain?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
}
