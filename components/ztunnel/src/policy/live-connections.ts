/**
 * The open inbound connections, judged again whenever policy changes (reference: protocol §5.4, "Lifecycle").
 * A connection is registered before it is judged the first time, so that no change can fall between.
 */

import type { L4Connection } from "@meltemi/authorization";
import type { MeshSnapshot } from "@meltemi/model";
import type { Clock, Timer } from "@meltemi/runtime";
import type { MeshStore } from "../mesh/mesh-store.ts";
import { type Authorizer, MISSING_POLICY_WAIT_MS } from "./authorize.ts";

export const CLOSED_BY_POLICY = "connection closed due to policy change";

interface LiveConnection {
  readonly workloadUid: string;
  readonly connection: L4Connection;
  /** Resets the connection now. May be called once. */
  readonly cut: () => void;
}

export interface LiveConnections extends Disposable {
  /** Returns how to forget the connection when it has ended. */
  register(connection: LiveConnection): () => void;
  readonly size: number;
}

export interface LiveConnectionsDeps {
  readonly mesh: MeshStore;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
}

export function createLiveConnections(deps: LiveConnectionsDeps): LiveConnections {
  const byWorkload = new Map<string, Set<LiveConnection>>();
  let size = 0;
  let lateCheck: Timer | undefined;

  const forget = (live: LiveConnection): void => {
    const siblings = byWorkload.get(live.workloadUid);
    if (siblings?.delete(live) !== true) return;
    size--;
    if (siblings.size === 0) byWorkload.delete(live.workloadUid);
  };

  /** Judges all connections of one workload; true when a policy is still missing for one of them. */
  const recheck = (snapshot: MeshSnapshot, uid: string, cutUndetermined: boolean): boolean => {
    let waiting = false;
    for (const live of [...(byWorkload.get(uid) ?? [])]) {
      const { kind } = deps.authorizer.judge(snapshot, uid, live.connection);
      if (kind === "undetermined" && !cutUndetermined) waiting = true;
      else if (kind !== "allow") {
        forget(live);
        live.cut();
      }
    }
    return waiting;
  };

  const recheckLate = (): void => {
    lateCheck = undefined;
    for (const uid of [...byWorkload.keys()]) recheck(deps.mesh.current, uid, true);
  };

  const stop = deps.mesh.onChange((next, previous) => {
    const policiesChanged = next.policies !== previous.policies;
    for (const uid of [...byWorkload.keys()]) {
      const workload = next.workloads.get(uid);
      // A workload that left keeps its open connections: they end with the pod, or go on when it was un-enrolled.
      if (workload === undefined) continue;
      if (!policiesChanged && workload === previous.workloads.get(uid)) continue;
      if (recheck(next, uid, false)) lateCheck ??= deps.clock.after(MISSING_POLICY_WAIT_MS, recheckLate);
    }
  });

  return {
    register(live) {
      const siblings = byWorkload.get(live.workloadUid);
      if (siblings === undefined) byWorkload.set(live.workloadUid, new Set([live]));
      else siblings.add(live);
      size++;
      return () => forget(live);
    },
    get size() {
      return size;
    },
    [Symbol.dispose]() {
      stop();
      lateCheck?.cancel();
    },
  };
}
