/** Policy on requests: who may, with which token, how often (reference: l7-and-cli §2.1, §2.3). Values as the user wrote them. */

import type { Origin } from "./route.ts";

/** All kinds that are given must hold; within a kind any value may, and no `not` value may. Empty means: not given. */
export interface PolicySource {
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly requestPrincipals: readonly string[];
  readonly notRequestPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** `<namespace>/<name>`, or `<name>` in the policy's namespace. */
  readonly serviceAccounts: readonly string[];
  readonly notServiceAccounts: readonly string[];
  /** Addresses or CIDR blocks. */
  readonly ipBlocks: readonly string[];
  readonly notIpBlocks: readonly string[];
  readonly remoteIpBlocks: readonly string[];
  readonly notRemoteIpBlocks: readonly string[];
  readonly trustDomains: readonly string[];
  readonly notTrustDomains: readonly string[];
}

export interface PolicyOperation {
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  /** 0 to 65535. */
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
}

/** At least one value or notValue; the key is one of Istio's. */
export interface PolicyCondition {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}

/** Any source (or none given), and any operation (or none given), and all conditions. */
export interface PolicyRule {
  readonly from: readonly PolicySource[];
  readonly to: readonly PolicyOperation[];
  readonly when: readonly PolicyCondition[];
}

/** An AuthorizationPolicy that a waypoint enforces. */
export interface RequestPolicy extends Pick<Origin, "namespace" | "name"> {
  readonly action: "allow" | "deny" | "audit" | { readonly provider: string };
  readonly dryRun: boolean;
  readonly rules: readonly PolicyRule[];
}

/** One rule of a RequestAuthentication, its keys already fetched. */
export interface JwtRule {
  readonly issuer: string;
  /** Empty: any. */
  readonly audiences: readonly string[];
  /** JSON Web Key Set as text. Where fetching failed: a set without the key of any token, so that every token is refused. */
  readonly jwks: string;
  /** None of the three: `Authorization: Bearer`, then the query parameter `access_token`. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly outputPayloadToHeader?: string;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
  readonly spaceDelimitedClaims: readonly string[];
}

/** An external authorizer of `meshConfig.extensionProviders` (reference: l7-and-cli §2.1, CUSTOM). */
export interface ExternalAuthorizer {
  readonly name: string;
  readonly protocol: "http" | "grpc";
  /** Name of a cluster in the waypoint's settings. */
  readonly cluster: string;
  readonly timeoutMs: number;
  readonly pathPrefix: string;
  readonly failOpen: boolean;
  readonly statusOnError: number;
  readonly clearRouteCache: boolean;
  /** Exact names, or `prefix*`, or `*suffix`. */
  readonly includeRequestHeaders: readonly string[];
  readonly includeAdditionalHeaders: readonly (readonly [name: string, value: string])[];
  readonly includeBody?: {
    readonly maxBytes: number;
    readonly allowPartial: boolean;
    readonly asBytes: boolean;
  };
  readonly headersToUpstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnDeny: readonly string[];
  readonly headersToDownstreamOnAllow: readonly string[];
}

/** What requests are counted by: one part of a descriptor. */
export type RateLimitKey =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "path" }
  | { readonly kind: "method" }
  | { readonly kind: "claim"; readonly claim: string }
  /** The caller's SPIFFE identity. */
  | { readonly kind: "sourcePrincipal" }
  | { readonly kind: "sourceIp" }
  | { readonly kind: "constant"; readonly key: string; readonly value: string };

/** One limit of a RateLimitPolicy of ours. A request that lacks one of the keys is not counted by it. */
export interface RateLimit extends Pick<Origin, "namespace" | "name"> {
  /** Empty: every request; in the form of `PolicyOperation`. */
  readonly operations: readonly PolicyOperation[];
  readonly keys: readonly RateLimitKey[];
  readonly limit: /** A token bucket per combination of values, in each replica. */
    | { readonly kind: "local"; readonly requests: number; readonly perMs: number; readonly burst: number }
    /** Envoy's rate limit service (`envoy.service.ratelimit.v3`). */
    | {
        readonly kind: "global";
        readonly domain: string;
        readonly cluster: string;
        readonly timeoutMs: number;
        readonly failOpen: boolean;
      };
}
