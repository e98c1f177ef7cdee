/** Watches every kind that the mesh is compiled from, and keeps the compiler's inputs equal to the cluster's state. */

import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  ENDPOINT_SLICES,
  type EndpointSlice,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  type GatewayClass,
  type IndexFunction,
  type Informer,
  keyOf,
  NAMESPACES,
  type Namespace,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  type Pod,
  SERVICE_ENTRIES,
  SERVICES,
  type Service,
  WORKLOAD_ENTRIES,
} from "@meltemi/kubernetes";
import {
  parseAuthorizationPolicy,
  parsePeerAuthentication,
  parseServiceEntry,
  parseWorkloadEntry,
} from "@meltemi/resources";
import type { MeshInputs } from "../compile/mesh-collections.ts";
import { endpointSliceFacts, namespaceFacts, nodeFacts, serviceFacts } from "./cluster.ts";
import { serviceEntryFacts, workloadEntryFacts } from "./entries.ts";
import { createFollower, type FollowerDependencies, KEEP } from "./follow.ts";
import { gatewayClassFacts, waypointFacts } from "./gateways.ts";
import { podFacts } from "./pod.ts";
import { authorizationPolicyFacts, peerAuthenticationFacts } from "./policies.ts";
import { authorizationPolicyStandIn, peerAuthenticationStandIn } from "./stand-in.ts";
import { type TrafficWatch, watchTraffic } from "./watch-traffic.ts";

export interface MeshWatchDependencies extends Omit<FollowerDependencies, "faults"> {
  readonly inputs: MeshInputs;
  /** Look-ups in the informer of pods that others need. */
  readonly podIndexes: Readonly<Record<string, IndexFunction<Pod>>>;
}

export interface MeshWatch {
  /** Every kind has been listed once. Custom kinds that the cluster does not serve count as listed and empty. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** For who needs the objects themselves. */
  readonly authorizationPolicies: Informer<CustomObject>;
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly services: Informer<Service>;
  /** Index `service`: `namespace/name` of the Service. */
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly gateways: Informer<Gateway>;
  readonly gatewayClasses: Informer<GatewayClass>;
  readonly serviceEntries: Informer<CustomObject>;
  readonly workloadEntries: Informer<CustomObject>;
  readonly traffic: TrafficWatch;
  stop(): void;
}

export function watchMesh(deps: MeshWatchDependencies): MeshWatch {
  const { inputs } = deps;
  const { follow, parsed } = createFollower({ ...deps, faults: inputs.faults });
  const policies = follow(AUTHORIZATION_POLICIES, inputs.authorizationPolicies, (object) =>
    parsed(
      AUTHORIZATION_POLICIES,
      parseAuthorizationPolicy(object),
      authorizationPolicyFacts,
      object,
      (problems) =>
        authorizationPolicyStandIn(object, inputs.authorizationPolicies.get(keyOf(object)), problems),
    ),
  );
  const pods = follow(PODS, inputs.pods, podFacts, { indexes: deps.podIndexes });
  const namespaces = follow(NAMESPACES, inputs.namespaces, namespaceFacts);
  const services = follow(SERVICES, inputs.services, serviceFacts);
  const endpointSlices = follow(ENDPOINT_SLICES, inputs.endpointSlices, endpointSliceFacts, {
    indexes: {
      service: ({ metadata }) => [
        `${metadata?.namespace}/${metadata?.labels?.["kubernetes.io/service-name"] ?? ""}`,
      ],
    },
  });
  const gatewayClasses = follow(GATEWAY_CLASSES, inputs.gatewayClasses, gatewayClassFacts);
  const gateways = follow(GATEWAYS, inputs.waypoints, waypointFacts);
  const serviceEntries = follow(SERVICE_ENTRIES, inputs.serviceEntries, (object) =>
    parsed(SERVICE_ENTRIES, parseServiceEntry(object), serviceEntryFacts, object, () => KEEP),
  );
  const workloadEntries = follow(WORKLOAD_ENTRIES, inputs.workloadEntries, (object) =>
    parsed(WORKLOAD_ENTRIES, parseWorkloadEntry(object), workloadEntryFacts, object, () => KEEP),
  );
  const traffic = watchTraffic({ follow, parsed }, inputs);
  const informers: readonly Pick<Informer<never>, "synced" | "hasSynced" | "stop">[] = [
    namespaces,
    follow(NODES, inputs.nodes, nodeFacts),
    pods,
    services,
    endpointSlices,
    gatewayClasses,
    gateways,
    serviceEntries,
    workloadEntries,
    ...traffic.informers,
    policies,
    follow(PEER_AUTHENTICATIONS, inputs.peerAuthentications, (object) =>
      parsed(PEER_AUTHENTICATIONS, parsePeerAuthentication(object), peerAuthenticationFacts, object, () =>
        peerAuthenticationStandIn(object, inputs.peerAuthentications.get(keyOf(object))),
      ),
    ),
  ];

  return {
    synced: Promise.all(informers.map(({ synced }) => synced)).then(() => undefined),
    get hasSynced() {
      return informers.every(({ hasSynced }) => hasSynced);
    },
    authorizationPolicies: policies,
    pods,
    namespaces,
    services,
    endpointSlices,
    gateways,
    gatewayClasses,
    serviceEntries,
    workloadEntries,
    traffic,
    stop() {
      for (const informer of informers) informer.stop();
    },
  };
}
