/** Watches the kinds that L7 configuration is compiled from. */

import {
  type CustomObject,
  DESTINATION_RULES,
  GRPC_ROUTES,
  HTTP_ROUTES,
  type Informer,
  keyOf,
  RATE_LIMIT_POLICIES,
  REQUEST_AUTHENTICATIONS,
  type ResourceType,
  TCP_ROUTES,
  TELEMETRIES,
  TLS_ROUTES,
  VIRTUAL_SERVICES,
} from "@meltemi/kubernetes";
import {
  type Parsed,
  parseDestinationRule,
  parseGrpcRoute,
  parseHttpRoute,
  parseRateLimitPolicy,
  parseRequestAuthentication,
  parseTcpRoute,
  parseTelemetry,
  parseTlsRoute,
  parseVirtualService,
  type Stored,
} from "@meltemi/resources";
import type { Collection } from "../compile/collection.ts";
import type { RouteFacts } from "../compile/l7/facts.ts";
import type { MeshInputs } from "../compile/mesh-collections.ts";
import { type Follower, KEEP } from "./follow.ts";
import {
  generationFacts,
  rateLimitPolicyFacts,
  requestAuthenticationFacts,
  telemetryFacts,
} from "./policies.ts";

export interface TrafficWatch {
  readonly informers: readonly Informer<CustomObject>[];
  /** Objects as stored, for status: by kind of the route. */
  readonly routes: ReadonlyMap<RouteFacts["kind"], Informer<CustomObject>>;
  readonly rateLimitPolicies: Informer<CustomObject>;
  /** Of the other kinds whose status is written, by kind. */
  readonly applied: ReadonlyMap<string, Informer<CustomObject>>;
}

/** What cannot be read leaves what is known in force. */
export function watchTraffic({ follow, parsed }: Follower, inputs: MeshInputs): TrafficWatch {
  const simple = <V, F, I extends string>(
    type: ResourceType<CustomObject>,
    collection: Collection<F, I>,
    parse: (object: CustomObject) => Parsed<V>,
    toFacts: (value: V) => F,
  ): Informer<CustomObject> =>
    follow(type, collection, (object) => parsed(type, parse(object), toFacts, object, () => KEEP));
  const route = <S>(
    type: ResourceType<CustomObject>,
    parse: (object: CustomObject) => Parsed<Stored<S>>,
    toFacts: (stored: Stored<S>) => RouteFacts,
  ): Informer<CustomObject> =>
    follow(type, inputs.routes, (object) => parsed(type, parse(object), toFacts, object, () => KEEP), {
      keyOf: (object) => `${type.kind}/${keyOf(object)}`,
    });

  const rateLimitPolicies = simple(
    RATE_LIMIT_POLICIES,
    inputs.rateLimitPolicies,
    parseRateLimitPolicy,
    rateLimitPolicyFacts,
  );
  const routes = new Map<RouteFacts["kind"], Informer<CustomObject>>([
    ["HTTPRoute", route(HTTP_ROUTES, parseHttpRoute, (s) => ({ ...storedFacts(s), kind: "HTTPRoute" }))],
    ["GRPCRoute", route(GRPC_ROUTES, parseGrpcRoute, (s) => ({ ...storedFacts(s), kind: "GRPCRoute" }))],
    ["TCPRoute", route(TCP_ROUTES, parseTcpRoute, (s) => ({ ...storedFacts(s), kind: "TCPRoute" }))],
    ["TLSRoute", route(TLS_ROUTES, parseTlsRoute, (s) => ({ ...storedFacts(s), kind: "TLSRoute" }))],
  ]);
  const applied = new Map<string, Informer<CustomObject>>([
    ["VirtualService", simple(VIRTUAL_SERVICES, inputs.virtualServices, parseVirtualService, storedFacts)],
    [
      "DestinationRule",
      simple(DESTINATION_RULES, inputs.destinationRules, parseDestinationRule, storedFacts),
    ],
    [
      "RequestAuthentication",
      simple(
        REQUEST_AUTHENTICATIONS,
        inputs.requestAuthentications,
        parseRequestAuthentication,
        requestAuthenticationFacts,
      ),
    ],
    ["Telemetry", simple(TELEMETRIES, inputs.telemetries, parseTelemetry, telemetryFacts)],
  ]);
  return {
    routes,
    rateLimitPolicies,
    applied,
    informers: [...routes.values(), rateLimitPolicies, ...applied.values()],
  };
}

function storedFacts<S>({
  metadata,
  spec,
}: Stored<S>): ReturnType<typeof generationFacts> & { readonly spec: S } {
  return { ...generationFacts(metadata), spec };
}
