/** Watches every kind that the mesh is compiled from, and keeps the compiler's inputs equal to the cluster's state. */

import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  createInformer,
  ENDPOINT_SLICES,
  GATEWAYS,
  type IndexFunction,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  NAMESPACES,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  type Pod,
  type ResourceType,
  SERVICE_ENTRIES,
  SERVICES,
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
import { endpointSliceFacts, namespaceFacts, nodeFacts, serviceFacts, waypointFacts } from "./cluster.ts";
import { serviceEntryFacts, workloadEntryFacts } from "./entries.ts";
import { podFacts } from "./pod.ts";
import { authorizationPolicyFacts, peerAuthenticationFacts } from "./policies.ts";

export interface MeshWatchDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  readonly inputs: MeshInputs;
  /** An input changed; `kind` is the kind of the object. Not called for changes that are no facts. */
  readonly onChange: (kind: string) => void;
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
  stop(): void;
}

export function watchMesh(deps: MeshWatchDependencies): MeshWatch {
  const { inputs, log } = deps;
  const policies = follow(AUTHORIZATION_POLICIES, inputs.authorizationPolicies, (object) =>
    parsed("AuthorizationPolicy", parseAuthorizationPolicy(object), authorizationPolicyFacts, object),
  );
  const pods = follow(PODS, inputs.pods, podFacts, deps.podIndexes);
  const informers: readonly Pick<Informer<never>, "synced" | "hasSynced" | "stop">[] = [
    follow(NAMESPACES, inputs.namespaces, namespaceFacts),
    follow(NODES, inputs.nodes, nodeFacts),
    pods,
    follow(SERVICES, inputs.services, serviceFacts),
    follow(ENDPOINT_SLICES, inputs.endpointSlices, endpointSliceFacts),
    follow(GATEWAYS, inputs.waypoints, waypointFacts),
    follow(SERVICE_ENTRIES, inputs.serviceEntries, (object) =>
      parsed("ServiceEntry", parseServiceEntry(object), serviceEntryFacts, object),
    ),
    follow(WORKLOAD_ENTRIES, inputs.workloadEntries, (object) =>
      parsed("WorkloadEntry", parseWorkloadEntry(object), workloadEntryFacts, object),
    ),
    policies,
    follow(PEER_AUTHENTICATIONS, inputs.peerAuthentications, (object) =>
      parsed("PeerAuthentication", parsePeerAuthentication(object), peerAuthenticationFacts, object),
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
        if (collection.put(keyOf(object), undefined)) deps.onChange(type.kind);
      },
    });
    return informer;
  }

  /** An object that became invalid stays what it last was: an ALLOW policy that vanished would open what it closed. */
  function parsed<T, F>(
    kind: string,
    result: Parsed<T>,
    toFacts: (value: T, object: KubernetesObject) => F,
    object: KubernetesObject,
  ): F | typeof KEEP {
    if (result.kind === "ok") return toFacts(result.value, object);
    log.warn("object refused", { kind, object: keyOf(object), problems: formatProblems(result.problems) });
    return KEEP;
  }

  return {
    synced: Promise.all(informers.map(({ synced }) => synced)).then(() => undefined),
    get hasSynced() {
      return informers.every(({ hasSynced }) => hasSynced);
    },
    authorizationPolicies: policies,
    pods,
    stop() {
      for (const informer of informers) informer.stop();
    },
  };
}

const KEEP = Symbol("keep what is known");
