/** Gives every waiting pod a node, one after the other, through the binding subresource. */

import {
  createInformer,
  createWorkQueue,
  type Informer,
  isConflict,
  isNotFound,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  NODES,
  type Node,
  PODS,
  type Pod,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import { timestamp } from "../timestamp.ts";
import { decideSchedule } from "./decide-schedule.ts";
import { isTerminating, uidOf } from "./ownership.ts";
import { isFinished } from "./pod-state.ts";

export interface SchedulerOptions {
  /** Pods that name another scheduler are not ours. Default `default-scheduler`. */
  readonly schedulerName?: string;
}

export interface SchedulerDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface RunningScheduler {
  stop(): Promise<void>;
}

/** A pod that fits nowhere is tried again when nodes or pods change, and after this long at the latest. */
const UNSCHEDULABLE_AGAIN_MS = 30_000;

/** Runs until stopped. The client is not closed. */
export function startScheduler(
  client: KubernetesClient,
  options: SchedulerOptions,
  deps: SchedulerDependencies,
): RunningScheduler {
  const pods = createInformer(client, PODS, {}, deps);
  const nodes = createInformer(client, NODES, {}, deps);
  const scheduler = new Scheduler(client, options, deps, pods, nodes);
  return {
    async stop() {
      pods.stop();
      nodes.stop();
      await scheduler.stop();
    },
  };
}

class Scheduler {
  readonly #client: KubernetesClient;
  readonly #name: string;
  readonly #deps: SchedulerDependencies;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  /** Bound by us, not yet seen so: pod uid → pod with its node. They take part in the next decision. */
  readonly #bound = new Map<string, Pod>();
  readonly #unschedulable = new Set<string>();
  readonly #queue;

  constructor(
    client: KubernetesClient,
    options: SchedulerOptions,
    deps: SchedulerDependencies,
    pods: Informer<Pod>,
    nodes: Informer<Node>,
  ) {
    this.#client = client;
    this.#name = options.schedulerName ?? "default-scheduler";
    this.#deps = deps;
    this.#pods = pods;
    this.#nodes = nodes;
    // One at a time: each decision counts the ones before it.
    this.#queue = createWorkQueue(
      { name: "scheduler", concurrency: 1 },
      {
        clock: deps.clock,
        random: deps.random,
        log: deps.log.scope("scheduler"),
        reconcile: (key, signal) => this.#schedule(key, signal),
      },
    );
    this.#follow();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #follow(): void {
    this.#pods.onChange({
      add: (pod) => this.#seen(pod),
      update: (_, pod) => this.#seen(pod),
      delete: (pod) => {
        this.#bound.delete(uidOf(pod));
        this.#unschedulable.delete(keyOf(pod));
        this.#retryUnschedulable();
      },
    });
    const retry = (): void => this.#retryUnschedulable();
    this.#nodes.onChange({ add: retry, update: retry, delete: retry });
  }

  #seen(pod: Pod): void {
    if (pod.spec?.nodeName) {
      this.#bound.delete(uidOf(pod));
      this.#unschedulable.delete(keyOf(pod));
      if (isFinished(pod)) this.#retryUnschedulable();
    } else if (this.#isOurs(pod)) this.#queue.add(keyOf(pod));
  }

  #isOurs(pod: Pod): boolean {
    const gated = (pod.spec?.schedulingGates ?? []).length > 0;
    return (pod.spec?.schedulerName ?? "default-scheduler") === this.#name && !gated && !isTerminating(pod);
  }

  #retryUnschedulable(): void {
    for (const key of this.#unschedulable) this.#queue.add(key);
  }

  async #schedule(key: string, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#pods.synced, this.#nodes.synced]);
    const pod = this.#pods.get(key);
    if (pod === undefined || pod.spec?.nodeName || this.#bound.has(uidOf(pod)) || !this.#isOurs(pod)) return;
    const placed = [...this.#pods.list().filter((each) => each.spec?.nodeName), ...this.#bound.values()];
    const placement = decideSchedule({ pod, nodes: this.#nodes.list(), placed });
    if (placement.kind === "node") {
      await this.#bind(pod, placement.name, signal);
      return;
    }
    this.#unschedulable.add(key);
    this.#queue.addAfter(key, UNSCHEDULABLE_AGAIN_MS);
    await this.#tellUnschedulable(pod, placement.message, signal);
  }

  async #bind(pod: Pod, node: string, signal: AbortSignal): Promise<void> {
    const { name, namespace } = refOf(pod);
    const binding: Binding = {
      metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid: uidOf(pod) },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    try {
      await this.#client.create(BINDINGS, binding, { subresource: "binding", signal });
    } catch (error) {
      // Deleted or bound by somebody else meanwhile: its change is on its way to us.
      if (isNotFound(error) || isConflict(error)) return;
      throw error;
    }
    this.#unschedulable.delete(keyOf(pod));
    if (!this.#pods.get(keyOf(pod))?.spec?.nodeName)
      this.#bound.set(uidOf(pod), { ...pod, spec: { containers: [], ...pod.spec, nodeName: node } });
    this.#deps.log.debug("pod scheduled", { pod: keyOf(pod), node });
  }

  async #tellUnschedulable(pod: Pod, message: string, signal: AbortSignal): Promise<void> {
    const conditions = pod.status?.conditions ?? [];
    const before = conditions.find(({ type }) => type === "PodScheduled");
    if (before?.status === "False" && before.message === message) return;
    const lastTransitionTime = timestamp(this.#deps.clock.nowMs());
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime,
    };
    const body = {
      status: { conditions: [...conditions.filter(({ type }) => type !== "PodScheduled"), condition] },
    };
    try {
      await this.#client.patch(PODS, refOf(pod), { kind: "merge", body }, { subresource: "status", signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** `v1` Binding, posted to the pod. */
interface Binding extends KubernetesObject {
  readonly target: { readonly apiVersion: string; readonly kind: string; readonly name: string };
}

const BINDINGS: ResourceType<Binding> = {
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Binding",
  namespaced: true,
};
