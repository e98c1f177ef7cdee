/**
 * The open inbound connections, judged again whenever the policies of their workload change (reference: protocol §5.4,
 * "Lifecycle"). A connection is registered before it is judged the first time, so that no change can fall between.
 *
 * Most changes concern other workloads: those cost one comparison of two lists for each pod, 0.1 ms where judging its 25 000
 * connections took 22 ms. A connection is judged in 1 to 3 µs; they are taken in slices, so that many do not stop all traffic.
 */

import { decideAuthorization, type L4Connection } from "@meltemi/authorization";
import { type ApplicablePolicies, type MeshSnapshot, policiesOf } from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import type { Clock, Timer } from "@meltemi/runtime";
import { MISSING_POLICY_WAIT_MS } from "./authorize.ts";

/** One or two milliseconds of judging in one turn of the event loop. */
export const JUDGED_PER_TURN = 500;
/**
 * A connection that policy forbids is open no longer than this after the change, given that the event loop turns: what has not
 * had its slice by then is judged at once. 100 000 connections, the most of a process, need about a third of it.
 */
export const RECHECK_BOUND_MS = 2000;

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
  readonly clock: Clock;
}

/** One walk over all connections of a workload. Sets are walked in order, and may change meanwhile. */
interface Pass {
  readonly left: Iterator<LiveConnection>;
  readonly startedMs: number;
  /** Those that cannot be judged because a policy has not come are cut: it was waited for. */
  readonly cutUndetermined: boolean;
}

interface Group {
  readonly connections: Set<LiveConnection>;
  pass: Pass | undefined;
  /** Policies changed again after the pass began: the part behind it was judged by older ones. */
  again: boolean;
  lateCheck: Timer | undefined;
}

export function createLiveConnections(deps: LiveConnectionsDeps): LiveConnections {
  return new Rechecks(deps);
}

class Rechecks implements LiveConnections {
  readonly #deps: LiveConnectionsDeps;
  readonly #groups = new Map<string, Group>();
  readonly #stop: () => void;
  #size = 0;
  #nextTurn: Timer | undefined;

  constructor(deps: LiveConnectionsDeps) {
    this.#deps = deps;
    this.#stop = deps.mesh.onChange((next, previous) => this.#onChange(next, previous));
  }

  register(live: LiveConnection): () => void {
    const { workloadUid: uid } = live;
    const group = this.#groups.get(uid) ?? newGroup();
    this.#groups.set(uid, group);
    group.connections.add(live);
    this.#size++;
    return () => this.#forget(live);
  }

  get size(): number {
    return this.#size;
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#nextTurn?.cancel();
    for (const group of this.#groups.values()) group.lateCheck?.cancel();
  }

  #forget(live: LiveConnection): void {
    const group = this.#groups.get(live.workloadUid);
    if (group?.connections.delete(live) !== true) return;
    this.#size--;
    if (group.connections.size > 0) return;
    group.lateCheck?.cancel();
    this.#groups.delete(live.workloadUid);
  }

  #onChange(next: MeshSnapshot, previous: MeshSnapshot): void {
    for (const [uid, group] of this.#groups) if (affects(next, previous, uid)) this.#demand(group, false);
    this.#turn();
  }

  #demand(group: Group, cutUndetermined: boolean): void {
    if (group.pass !== undefined && !cutUndetermined) group.again = true;
    else group.pass = this.#newPass(group, cutUndetermined);
  }

  #newPass(group: Group, cutUndetermined: boolean): Pass {
    // One that another pass takes the place of keeps its place in time.
    const startedMs = group.pass?.startedMs ?? this.#deps.clock.monotonicMs();
    return { left: group.connections.values(), startedMs, cutUndetermined };
  }

  /** One slice of the passes under way, by the snapshot of now; the next slice follows in the next turn. */
  #turn(): void {
    this.#nextTurn?.cancel();
    this.#nextTurn = undefined;
    let quota = JUDGED_PER_TURN;
    for (const [uid, group] of [...this.#groups]) {
      while (group.pass !== undefined && quota > 0) quota -= this.#judgeSome(uid, group, group.pass, quota);
      // A pod with many must not hold up the others beyond the bound.
      if (group.pass !== undefined && this.#isLate(group.pass))
        this.#judgeSome(uid, group, group.pass, Number.POSITIVE_INFINITY);
      if (group.pass !== undefined) this.#nextTurn ??= this.#deps.clock.after(0, () => this.#turn());
    }
  }

  #isLate({ startedMs }: Pass): boolean {
    // A change that came after the pass began waits for a second one: each has half of the time.
    return this.#deps.clock.monotonicMs() - startedMs >= RECHECK_BOUND_MS / 2;
  }

  /** Judges up to `limit` connections, returns how many. Ends the pass when it has reached the last. */
  #judgeSome(uid: string, group: Group, pass: Pass, limit: number): number {
    const { current } = this.#deps.mesh;
    const workload = current.workloads.get(uid);
    // A workload that left keeps its open connections: they end with the pod, or go on when it was un-enrolled.
    const applicable = workload && policiesOf(current, workload);
    for (let count = 0; count < limit; count++) {
      const next = applicable === undefined ? { done: true as const } : pass.left.next();
      if (next.done === true || applicable === undefined) {
        group.pass = undefined;
        if (group.again) group.pass = this.#newPass(group, false);
        group.again = false;
        return count + 1;
      }
      this.#judge(group, next.value, applicable, pass.cutUndetermined);
    }
    return limit;
  }

  #judge(group: Group, live: LiveConnection, applicable: ApplicablePolicies, cutUndetermined: boolean): void {
    const { kind } = decideAuthorization(applicable, live.connection);
    if (kind === "allow") return;
    if (kind === "undetermined" && !cutUndetermined) {
      group.lateCheck ??= this.#deps.clock.after(MISSING_POLICY_WAIT_MS, () => {
        group.lateCheck = undefined;
        this.#demand(group, true);
        this.#turn();
      });
      return;
    }
    this.#forget(live);
    live.cut();
  }
}

function newGroup(): Group {
  return { connections: new Set(), pass: undefined, again: false, lateCheck: undefined };
}

/** Whether another list of policies applies to the workload than before. One that is new here was never judged by any. */
function affects(next: MeshSnapshot, previous: MeshSnapshot, uid: string): boolean {
  const workload = next.workloads.get(uid);
  if (workload === undefined) return false;
  const before = previous.workloads.get(uid);
  if (before === undefined) return true;
  if (before === workload && next.policies === previous.policies) return false;
  const [now, then] = [policiesOf(next, workload), policiesOf(previous, before)];
  return !sameElements(now.policies, then.policies) || !sameElements(now.missing, then.missing);
}

function sameElements<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
