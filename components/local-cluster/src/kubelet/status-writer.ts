/** Writes pod statuses to the API, each only when it changed. */

import { PODS, type Pod, statusOf } from "@meltemi/kubernetes";
import type { PodStatus } from "./container/types.ts";
import type { NodeContext } from "./node-context.ts";
import type { PodRuntime } from "./pod-runtime.ts";
import { podStatus } from "./pod-status.ts";

export interface StatusWriter {
  /** Rejects when the API does; the caller tries again. */
  write(pod: Pod, runtime: PodRuntime): Promise<void>;
  forget(uid: string): void;
}

export function createStatusWriter(context: NodeContext): StatusWriter {
  const published = new Map<string, { readonly status: PodStatus; readonly text: string }>();
  const { address } = context.plan;
  return {
    async write(pod, runtime) {
      const { uid = "", namespace = "", name = "" } = pod.metadata ?? {};
      const before = published.get(uid);
      const status = podStatus({
        pod: before === undefined ? pod : withOwnConditions(pod, before.status),
        runtime,
        hostIps: [address.v4, address.v6],
        nowMs: context.clock.nowMs(),
      });
      const text = JSON.stringify(status);
      if (before?.text === text) return;
      try {
        const body = { metadata: { uid }, status };
        await context.client.patch(
          PODS,
          { namespace, name },
          { kind: "merge", body },
          { subresource: "status" },
        );
      } catch (error) {
        // Deleted, or replaced by another of its name: the watch will say so.
        const code = statusOf(error)?.code;
        if (code === 404 || code === 409) return;
        throw error;
      }
      published.set(uid, { status, text });
    },
    forget: (uid) => void published.delete(uid),
  };
}

/** The watch lags behind what was just written: our own conditions are known better here, those of others there. */
function withOwnConditions(pod: Pod, own: PodStatus): Pod {
  const types = new Set((own.conditions ?? []).map(({ type }) => type));
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !types.has(type));
  const conditions = [...(own.conditions ?? []), ...others];
  return {
    ...pod,
    status: { ...pod.status, ...(own.phase === undefined ? {} : { phase: own.phase }), conditions },
  };
}
