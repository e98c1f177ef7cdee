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
import { type Clock, delay, type Logger, MeshError } from "@meltemi/runtime";
import type { Enroller } from "../enrol/enroller.ts";
import type { OpenPodNamespace } from "../enrol/pod-netns.ts";
import { mountedNamespacePath, type PodEvent } from "./pod-event.ts";

export interface NewPodOptions {
  readonly netnsFolder: string;
  readonly hostProc: string;
}

export interface NewPodDependencies {
  readonly client: Pick<KubernetesClient, "get">;
  readonly podInformer: Pick<Informer<Pod>, "get">;
  readonly namespaces: Pick<Informer<Namespace>, "get">;
  readonly enroller: Pick<Enroller, "enrolSandbox">;
  readonly open: OpenPodNamespace;
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
    const path = mountedNamespacePath(event.netnsPath, options);
    const netns = path === undefined ? undefined : deps.open(path);
    if (netns === undefined)
      throw new MeshError(
        "INPUT_INVALID",
        `enrol pod ${name}: ${event.netnsPath}: expected the pod's own network namespace`,
      );
    const decision = await deps.enroller.enrolSandbox(pod, namespace, { netns, addresses: event.addresses });
    deps.log.debug("new pod", { pod: name, decision: decision.kind === "leave" ? decision.why : "enrol" });
  };
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
