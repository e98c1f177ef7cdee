/** Watches every kind that the mesh is compiled from, and keeps the compiler's inputs equal to the cluster's state. */

import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  createInformer,
  ENDPOINT_SLICES,
  type EndpointSlice,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  type GatewayClass,
  type IndexFunction,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  NAMESPACES,
  type Namespace,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  type Pod,
  type ResourceType,
  SERVICE_ENTRIES,
  SERVICES,
  type Service,
  WORKLOAD_ENTRIES,
} from "@meltemi/kubernetes";
import {
  formatProblems,
  type Parsed,
  parseAuthorizationPolicy,
  parsePeerAuthentication,
  parseServiceEntry,
  parseWorkloadEntry,
} from "@meltemi/resources";
import type { Collection } from "../compile/collection.ts";
import type { MeshInputs } from "../compile/mesh-collections.ts";
import { endpointSliceFacts, namespaceFacts, nodeFacts, serviceFacts } from "./cluster.ts";
import { serviceEntryFacts, workloadEntryFacts } from "./entries.ts";
import { gatewayClassFacts, waypointFacts } from "./gateways.ts";
import { podFacts } from "./pod.ts";
import { authorizationPolicyFacts, peerAuthenticationFacts } from "./policies.ts";
import { authorizationPolicyStandIn, peerAuthenticationStandIn } from "./stand-in.ts";

export interface MeshWatchDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  readonly inputs: MeshInputs;
  /** An input changed; `kind` is the kind of the object. Not called for changes that are no facts. */
  readonly onChange: (kind: string) => void;
  /** So many objects of the kind cannot be read now. */
  readonly onRefused: (kind: string, count: number) => void;
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
  stop(): void;
}

export function watchMesh(deps: MeshWatchDependencies): MeshWatch {
  const { inputs, log } = deps;
  /** By kind, the keys of objects that cannot be read. */
  const refused = new Map<string, Set<string>>();
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
  const pods = follow(PODS, inputs.pods, podFacts, deps.podIndexes);
  const namespaces = follow(NAMESPACES, inputs.namespaces, namespaceFacts);
  const services = follow(SERVICES, inputs.services, serviceFacts);
  const endpointSlices = follow(ENDPOINT_SLICES, inputs.endpointSlices, endpointSliceFacts, {
    service: ({ metadata }) => [
      `${metadata?.namespace}/${metadata?.labels?.["kubernetes.io/service-name"] ?? ""}`,
    ],
  });
  const gatewayClasses = follow(GATEWAY_CLASSES, inputs.gatewayClasses, gatewayClassFacts);
  const gateways = follow(GATEWAYS, inputs.waypoints, waypointFacts);
  const serviceEntries = follow(SERVICE_ENTRIES, inputs.serviceEntries, (object) =>
    parsed(SERVICE_ENTRIES, parseServiceEntry(object), serviceEntryFacts, object, () => KEEP),
  );
  const workloadEntries = follow(WORKLOAD_ENTRIES, inputs.workloadEntries, (object) =>
    parsed(WORKLOAD_ENTRIES, parseWorkloadEntry(object), workloadEntryFacts, object, () => KEEP),
  );
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
    policies,
    follow(PEER_AUTHENTICATIONS, inputs.peerAuthentications, (object) =>
      parsed(PEER_AUTHENTICATIONS, parsePeerAuthentication(object), peerAuthenticationFacts, object, () =>
        peerAuthenticationStandIn(object, inputs.peerAuthentications.get(keyOf(object))),
      ),
    ),
  ];

  function follow<T extends KubernetesObject, F, I extends string>(
    type: ResourceType<T>,
    collection: Collection<F, I>,
    toFacts: (object: T) => F | undefined | typeof KEEP,
    indexes: Readonly<Record<string, IndexFunction<T>>> = {},
  ): Informer<T> {
    const informer = createInformer(deps.client, type, { whenNotServed: "empty", indexes }, deps);
    const put = (object: T): void => {
      const facts = toFacts(object);
      if (facts !== KEEP && collection.put(keyOf(object), facts)) deps.onChange(type.kind);
    };
    informer.onChange({
      add: put,
      update: (_previous, object) => put(object),
      delete: (object) => {
        setRefused(type, keyOf(object), false);
        if (collection.put(keyOf(object), undefined)) deps.onChange(type.kind);
      },
    });
    return informer;
  }

  /** An object that became invalid must not vanish: an ALLOW policy that did would open what it closed. */
  function parsed<T, F>(
    type: ResourceType,
    result: Parsed<T>,
    toFacts: (value: T, object: KubernetesObject) => F,
    object: KubernetesObject,
    standIn: (problems: string) => F | undefined | typeof KEEP,
  ): F | undefined | typeof KEEP {
    const key = keyOf(object);
    setRefused(type, key, result.kind === "invalid");
    if (result.kind === "ok") return toFacts(result.value, object);
    const problems = formatProblems(result.problems);
    log.warn("object refused", { kind: type.kind, object: key, problems });
    return standIn(problems);
  }

  function setRefused(type: ResourceType, key: string, isRefused: boolean): void {
    const keys = refused.get(type.kind) ?? new Set();
    refused.set(type.kind, keys);
    const before = keys.size;
    if (isRefused) keys.add(key);
    else keys.delete(key);
    if (keys.size !== before) deps.onRefused(type.kind, keys.size);
  }

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
    stop() {
      for (const informer of informers) informer.stop();
    },
  };
}

const KEEP = Symbol("keep what is known");
