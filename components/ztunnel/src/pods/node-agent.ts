/** Pods that this process serves: those that the node agent announces, and the one of dedicated mode. */

import type { NetworkNamespace } from "@meltemi/linux";
import type { WorkloadName } from "@meltemi/model";
import { type Clock, detach, type Logger, type OnInternalError } from "@meltemi/runtime";
import type { ZdsAnswer, ZdsHandler } from "@meltemi/zds";
import type { PodMetrics } from "../telemetry/pod-metrics.ts";
import type { ConnectionEntry } from "./connection-table.ts";
import type { RunningPodProxy } from "./pod-proxy.ts";
import { PodSet } from "./pod-set.ts";

/** As Istio. */
const START_RETRY_MS = 5000;
/** The longest that a timer holds, 24 days: un-enrolling a pod breaks none of its connections. */
const DEPARTED_DEADLINE_MS = 2 ** 31 - 1;

export interface ServedPod {
  readonly uid: string;
  readonly name: WorkloadName;
  readonly state: "Up" | "Pending";
  readonly connections: {
    readonly inbound: readonly ConnectionEntry[];
    readonly outbound: readonly ConnectionEntry[];
  };
}

export interface ServedPods {
  readonly handler: ZdsHandler;
  /** Takes a proxy that no agent announced. */
  adopt(name: WorkloadName, proxy: RunningPodProxy): void;
  list(): readonly ServedPod[];
  /** Drains all; takes no more. */
  close(deadlineMs: number): Promise<void>;
}

export interface ServedPodsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PodMetrics;
  /**
   * Done once a snapshot of the agent is complete and every pod of it is served. Never taken back: a DaemonSet deletes an old pod that is
   * not ready before the new one is, so that an upgrade of agent and proxy together would leave the node's pods without a proxy.
   */
  readonly readiness: { done(): void } | undefined;
  readonly start: (pod: WorkloadName, namespace: NetworkNamespace) => RunningPodProxy;
  readonly onInternalError: OnInternalError;
}

export function createNodeAgentHandler(deps: ServedPodsDeps): ServedPods {
  const adopted: { readonly name: WorkloadName; readonly proxy: RunningPodProxy }[] = [];
  const pods = new PodSet<NetworkNamespace, RunningPodProxy>(
    { retryMs: START_RETRY_MS, departedDeadlineMs: DEPARTED_DEADLINE_MS },
    {
      clock: deps.clock,
      logger: deps.logger,
      start: async (pod, namespace) => deps.start(pod.name, namespace),
      onChange: (counts) => {
        deps.metrics.counts(counts);
        if (pods.ready) deps.readiness?.done();
      },
      onStarted: deps.metrics.started,
      onStopped: deps.metrics.stopped,
      onInternalError: deps.onInternalError,
    },
  );
  const answer = (refusal: string | undefined): ZdsAnswer =>
    refusal === undefined ? { kind: "ack" } : { kind: "nack", why: refusal };
  const handler: ZdsHandler = {
    connected: () => detach(() => pods.reset(), deps.onInternalError),
    add: async (uid, name, namespace) =>
      answer(await pods.handle({ kind: "add", pod: { uid, name }, namespace })),
    keep: (uid) => detach(() => pods.handle({ kind: "keep", uid }), deps.onInternalError),
    del: async (uid) => answer(await pods.handle({ kind: "del", uid })),
    snapshotSent: async () => answer(await pods.handle({ kind: "snapshotSent" })),
    disconnected(why) {
      deps.logger.warn("node agent disconnected; serving on", { why });
      pods.disconnected();
    },
  };
  return {
    handler,
    adopt: (name, proxy) => adopted.push({ name, proxy }),
    list: () => [
      ...adopted.map(({ name, proxy }) => ({
        uid: `${name.namespace}/${name.name}`,
        name,
        state: "Up" as const,
        connections: proxy.connections.dump(),
      })),
      ...pods.states().map(({ pod, state }) => ({
        uid: pod.uid,
        name: pod.name,
        state,
        connections: pods.proxy(pod.uid)?.connections.dump() ?? { inbound: [], outbound: [] },
      })),
    ],
    async close(deadlineMs) {
      await Promise.all([pods.close(deadlineMs), ...adopted.map(({ proxy }) => proxy.drain(deadlineMs))]);
    },
  };
}
