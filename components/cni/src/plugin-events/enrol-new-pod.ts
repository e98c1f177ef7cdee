/** Answers the plugin: reads the pod whose sandbox is being made, and enrols it before its first process starts. */

import {
  type Informer,
  type KubernetesClient,
  keyOfRef,
  NAMESPACES,
  type Namespace,
  PODS,
  type Pod,
} from "@meltemi/kubernetes";
import { type NetworkNamespace, sameNetworkNamespace } from "@meltemi/linux";
import { type Clock, delay, type Logger, MeshError } from "@meltemi/runtime";
import type { Enroller } from "../enrol/enroller.ts";
import type { MeshPods } from "../enrol/mesh-pods.ts";
import { isNamespaceOf, type ReadAddresses } from "../enrol/pod-addresses.ts";
import { identityOf } from "../enrol/pod-facts.ts";
import type { OpenPodNamespace } from "../enrol/pod-netns.ts";
import { mountedNamespacePath, type PodEvent } from "./pod-event.ts";

export interface NewPodOptions {
  readonly netnsFolder: string;
  readonly hostProc: string;
  readonly nodeName: string;
}

export interface NewPodDependencies {
  readonly client: Pick<KubernetesClient, "get">;
  readonly podInformer: Pick<Informer<Pod>, "get">;
  readonly namespaces: Pick<Informer<Namespace>, "get">;
  readonly enroller: Pick<Enroller, "enrolSandbox">;
  readonly open: OpenPodNamespace;
  readonly addressesIn: ReadAddresses;
  readonly pods: Pick<MeshPods, "list">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The kubelet asked for this sandbox, so the pod is on the API; a server behind a cache may know it a moment later. */
const POD_READS = 10;
const POD_READ_INTERVAL_MS = 100;

/** Resolves when the pod may start; rejects with what stands in the way. */
export type EnrolNewPod = (event: PodEvent, signal: AbortSignal) => Promise<void>;

export function createNewPodEnrolment(options: NewPodOptions, deps: NewPodDependencies): EnrolNewPod {
  return async (event, signal) => {
    const name = `${event.podNamespace}/${event.podName}`;
    const pod = await readPod(event, deps, signal);
    const namespace = await readNamespace(event.podNamespace, deps, signal);
    const sandbox = openSandbox(event, pod, options, deps);
    const decision = await deps.enroller.enrolSandbox(pod, namespace, sandbox);
    deps.log.debug("new pod", { pod: name, decision: decision.kind === "leave" ? decision.why : "enrol" });
  };
}

/**
 * The path is what somebody said: it must lead to a namespace that is neither the node's nor another pod's, and that has an address which the
 * pod was given. A network plugin that is not chained says no addresses: then they are those of the namespace.
 */
function openSandbox(
  event: PodEvent,
  pod: Pod,
  options: NewPodOptions,
  deps: NewPodDependencies,
): { readonly netns: NetworkNamespace; readonly addresses: readonly string[] } {
  const refuse = (expected: string): MeshError =>
    new MeshError(
      "INPUT_INVALID",
      `enrol pod ${event.podNamespace}/${event.podName}: ${event.netnsPath}: expected ${expected}`,
    );
  const node = pod.spec?.nodeName;
  if (node !== undefined && node !== options.nodeName) throw refuse(`a pod of this node, not of ${node}`);
  const path = mountedNamespacePath(event.netnsPath, options);
  const netns = path === undefined ? undefined : deps.open(path);
  if (netns === undefined) throw refuse("the pod's own network namespace");
  try {
    const { uid } = identityOf(pod);
    const holder = deps.pods.list().find((each) => sameNetworkNamespace(each.netns, netns));
    if (holder !== undefined && holder.uid !== uid)
      throw refuse(`the pod's own network namespace, not that of ${holder.namespace}/${holder.name}`);
    const inside = deps.addressesIn(netns);
    const addresses = event.addresses.length > 0 ? event.addresses : inside;
    if (!isNamespaceOf(addresses, inside))
      throw refuse(
        `one of ${addresses.join(", ") || "its addresses"} in it, found ${inside.join(", ") || "none"}`,
      );
    return { netns, addresses };
  } catch (error) {
    netns.close();
    throw error;
  }
}

async function readPod(event: PodEvent, deps: NewPodDependencies, signal: AbortSignal): Promise<Pod> {
  const ref = { namespace: event.podNamespace, name: event.podName };
  const isMeant = (pod: Pod | undefined): boolean =>
    pod !== undefined && (event.podUid === undefined || pod.metadata?.uid === event.podUid);
  const known = deps.podInformer.get(keyOfRef(ref));
  // Without a uid the one we know may be an older pod of that name.
  if (known !== undefined && event.podUid !== undefined && isMeant(known)) return known;
  for (let read = 1; read <= POD_READS; read++) {
    const pod = await deps.client.get(PODS, ref, { signal });
    if (pod !== undefined && isMeant(pod)) return pod;
    await delay(deps.clock, POD_READ_INTERVAL_MS, signal);
  }
  const which = event.podUid === undefined ? "" : ` with uid ${event.podUid}`;
  throw new MeshError("NOT_FOUND", `enrol pod ${keyOfRef(ref)}: the API has no such pod${which}`);
}

async function readNamespace(
  name: string,
  deps: NewPodDependencies,
  signal: AbortSignal,
): Promise<Namespace> {
  const namespace = deps.namespaces.get(name) ?? (await deps.client.get(NAMESPACES, { name }, { signal }));
  if (namespace === undefined)
    throw new MeshError("NOT_FOUND", `read namespace ${name}: the API has no such namespace`);
  return namespace;
}
