/** Follows the pods of this node and the labels of namespaces, and keeps each pod in or out of the mesh as they say. */

import type { CaptureBackend } from "@meltemi/ebpf";
import {
  createWorkQueue,
  type Informer,
  type Namespace,
  type Pod,
  type WorkQueue,
} from "@meltemi/kubernetes";
import { type Clock, describeError, type Logger, type Timer } from "@meltemi/runtime";
import { DATAPLANE_MODE } from "../enrol/decide-enrolment.ts";
import type { Enroller } from "../enrol/enroller.ts";
import type { MeshPods } from "../enrol/mesh-pods.ts";
import { BY_NAMESPACE, BY_UID } from "./informers.ts";

export interface PodWatchDependencies {
  /** With the indexes of `startInformers`. */
  readonly podInformer: Informer<Pod>;
  readonly namespaces: Pick<Informer<Namespace>, "get" | "onChange">;
  readonly enroller: Enroller;
  readonly capture: Pick<CaptureBackend, "list">;
  readonly pods: MeshPods;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface PodWatch {
  /** Takes up what an earlier run of the agent left. After it the recorded pods are what a ztunnel may be told. */
  restore(): Promise<void>;
  /** From now on every change is followed. */
  start(): void;
  stop(): Promise<void>;
}

/** A namespace that joins the mesh brings many pods at once; each waits for ztunnel, not for this process. */
const CONCURRENCY = 8;
/** As Istio (reference: protocol §6.6). */
const BACKOFF = { baseMs: 5, maxMs: 5_000, jitter: 0.2 } as const;
const SWEEP_MS = 60_000;
/** A pod that the plugin brought is known to the informer long before this. */
const UNKNOWN_GRACE_MS = 30_000;

export function createPodWatch(deps: PodWatchDependencies): PodWatch {
  return new NodePodWatch(deps);
}

class NodePodWatch implements PodWatch {
  readonly #deps: PodWatchDependencies;
  readonly #queue: WorkQueue;
  readonly #unsubscribe: (() => void)[] = [];
  #sweepTimer: Timer | undefined;
  #stopped = false;

  constructor(deps: PodWatchDependencies) {
    this.#deps = deps;
    const { clock, random, log } = deps;
    const reconcile = (uid: string): Promise<void> => this.#reconcile(uid);
    this.#queue = createWorkQueue(
      { name: "pods", concurrency: CONCURRENCY, backoff: BACKOFF },
      { clock, random, log, reconcile },
    );
  }

  async restore(): Promise<void> {
    const { enroller, podInformer, log } = this.#deps;
    const restored = podInformer.list().map(async (pod) => {
      try {
        await enroller.restore(pod, this.#namespaceOf(pod));
      } catch (error) {
        // The queue tries again; until then ztunnel is not told of it, and what was captured stays captured.
        log.warn("could not restore a pod", { pod: pod.metadata?.name, error: describeError(error) });
      }
    });
    await Promise.all(restored);
    await this.#sweep();
  }

  start(): void {
    const { podInformer, namespaces } = this.#deps;
    const enqueue = (pod: Pod): void => this.#queue.add(pod.metadata?.uid ?? "");
    const enqueueNamespace = (namespace: Namespace): void => {
      for (const pod of podInformer.byIndex(BY_NAMESPACE, namespace.metadata?.name ?? "")) enqueue(pod);
    };
    this.#unsubscribe.push(
      podInformer.onChange({ add: enqueue, update: (_, pod) => enqueue(pod), delete: enqueue }),
      namespaces.onChange(
        {
          add: enqueueNamespace,
          update: (before, now) => {
            if (modeOf(before) !== modeOf(now)) enqueueNamespace(now);
          },
        },
        { replay: false },
      ),
    );
    this.#sweepLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#sweepTimer?.cancel();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#queue.stop();
  }

  async #reconcile(uid: string): Promise<void> {
    const pod = this.#podOf(uid);
    if (pod === undefined) await this.#deps.enroller.forget(uid);
    else await this.#deps.enroller.reconcile(pod, this.#namespaceOf(pod));
  }

  /** Pods that came and went unseen: while the agent was away, or between two lists of the informer. */
  async #sweep(): Promise<void> {
    const { capture, pods, clock, enroller } = this.#deps;
    const uids = new Set([...(await capture.list()).map(({ uid }) => uid), ...pods.uids()]);
    for (const uid of uids) {
      const sinceMs = pods.get(uid)?.sinceMs;
      const isYoung = sinceMs !== undefined && clock.monotonicMs() - sinceMs < UNKNOWN_GRACE_MS;
      if (this.#podOf(uid) === undefined && !isYoung) await enroller.forget(uid);
      // Captured by an earlier run, and not to be in the mesh any more, or not found just now.
      else if (sinceMs === undefined) this.#queue.add(uid);
    }
  }

  #sweepLater(): void {
    if (this.#stopped) return;
    this.#sweepTimer = this.#deps.clock.after(SWEEP_MS, () => {
      this.#sweep()
        .catch((error: unknown) => this.#deps.log.warn("sweep failed", { error: describeError(error) }))
        .finally(() => this.#sweepLater());
    });
  }

  #podOf(uid: string): Pod | undefined {
    return this.#deps.podInformer.byIndex(BY_UID, uid)[0];
  }

  #namespaceOf(pod: Pod): Namespace | undefined {
    return this.#deps.namespaces.get(pod.metadata?.namespace ?? "");
  }
}

function modeOf(namespace: Namespace): string | undefined {
  return namespace.metadata?.labels?.[DATAPLANE_MODE];
}
