/** Pods of this node that are in the mesh: what a newly connected ztunnel is told, each with its open namespace. */

import type { NetworkNamespace } from "@meltemi/linux";
import type { ZdsPod, ZdsPods } from "@meltemi/zds";
import type { PodIdentity } from "./pod-facts.ts";

interface MeshPod extends PodIdentity {
  readonly netns: NetworkNamespace;
  /** What its capture was set up with: nothing needs doing while that is the same. Undefined: it is not captured yet. */
  readonly capturedAs: string | undefined;
  /** Monotonic time of its enrolment: a pod that the plugin brought may be younger than what the informer knows. */
  readonly sinceMs: number;
}

export interface MeshPods extends ZdsPods {
  get(uid: string): MeshPod | undefined;
  /** Replaces the pod of that uid; a namespace it no longer uses is closed. */
  put(pod: MeshPod): void;
  /** Forgets the pod and closes its namespace. */
  remove(uid: string): void;
  list(): readonly MeshPod[];
}

export function createMeshPods(): MeshPods {
  const pods = new Map<string, MeshPod>();
  return {
    get: (uid) => pods.get(uid),
    put(pod) {
      const previous = pods.get(pod.uid);
      if (previous !== undefined && previous.netns !== pod.netns) previous.netns.close();
      pods.set(pod.uid, pod);
    },
    remove(uid) {
      pods.get(uid)?.netns.close();
      pods.delete(uid);
    },
    list: () => [...pods.values()],
    uids: () => [...pods.keys()],
    find: (uid) => {
      const pod = pods.get(uid);
      return pod === undefined ? undefined : zdsPodOf(pod);
    },
  };
}

function zdsPodOf(pod: MeshPod): ZdsPod {
  const { uid, name, namespace, serviceAccount } = pod;
  return { uid, workload: { name, namespace, serviceAccount }, netnsFd: pod.netns.fd };
}
