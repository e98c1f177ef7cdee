/** One leader among several processes, by a Lease (coordination.k8s.io/v1) that its holder renews. */

import { type Clock, delay, describeError, type Logger, type Timer } from "@meltemi/runtime";
import type { Lease } from "kubernetes-types/coordination/v1.js";
import type { KubernetesClient } from "./client-types.ts";
import { decideLease, formatMicroTime, type LeaseSighting } from "./decide-lease.ts";
import { LEASES } from "./kinds.ts";
import { isAlreadyExists, isConflict } from "./status-error.ts";

export interface LeaderElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates: the pod's name and a random part. */
  readonly identity: string;
  /** Defaults are client-go's: 15 s, 10 s, 2 s. */
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
}

export interface LeaderElectionDependencies {
  readonly client: Pick<KubernetesClient, "get" | "create" | "replace">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Runs while this process leads; must end soon after its signal fires. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
}

/**
 * Competes until the signal fires, leading every time the lease is ours. On the way out the lease is given back.
 * A leader that cannot renew for `renewDeadlineMs` stops leading before another may begin (`leaseDurationMs`).
 */
export async function runLeaderElection(
  options: LeaderElectionOptions,
  deps: LeaderElectionDependencies,
  signal: AbortSignal,
): Promise<void> {
  const terms = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, ...options };
  let sighting: LeaseSighting | undefined;
  while (!signal.aborted) {
    const askedMs = deps.clock.monotonicMs();
    const taken = await tryTake();
    if (taken) await leadTerm(terms, deps, askedMs, signal);
    // After a term too: work that ends at once must not spin, and another candidate may have its turn.
    if (!signal.aborted) await pause();
  }

  async function tryTake(): Promise<boolean> {
    try {
      const attempt = await takeLease(terms, deps, sighting, signal);
      sighting = attempt.sighting;
      return attempt.taken;
    } catch (error) {
      deps.log.warn("leader election failed", { lease: options.name, error: describeError(error) });
      return false;
    }
  }

  async function pause(): Promise<void> {
    // Spread, so that candidates that started together do not collide for good.
    await delay(deps.clock, terms.retryMs * (1 + 0.2 * deps.random()), signal).catch(() => {});
  }
}

type Terms = Required<LeaderElectionOptions>;

/** Leads, renewing meanwhile; ends when the work ends, the lease is lost, or the signal fires. */
async function leadTerm(
  terms: Terms,
  deps: LeaderElectionDependencies,
  takenMs: number,
  signal: AbortSignal,
): Promise<void> {
  const lost = new AbortController();
  const end = AbortSignal.any([signal, lost.signal]);
  deps.log.info("became leader", { lease: terms.name, identity: terms.identity });
  const renewing = renewUntilLost(terms, deps, takenMs, end).finally(() => lost.abort());
  try {
    await deps.lead(end);
  } catch (error) {
    deps.log.error("leader's work failed", { lease: terms.name, error: describeError(error) });
  } finally {
    lost.abort();
    await renewing;
    await release(terms, deps);
    deps.log.info("no longer leader", { lease: terms.name, identity: terms.identity });
  }
}

/**
 * The lease is counted from when it was asked for, not from the answer: others count from when they saw it. A renewal that hangs
 * is cut off with the deadline; waiting for its own timeout would outlive the lease.
 */
async function renewUntilLost(
  terms: Terms,
  deps: LeaderElectionDependencies,
  takenMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = deps;
  const late = new AbortController();
  const lateAfter = (askedMs: number): Timer =>
    clock.after(askedMs + terms.renewDeadlineMs - clock.monotonicMs(), () => late.abort());
  let deadline = lateAfter(takenMs);
  const end = AbortSignal.any([signal, late.signal]);
  while (!end.aborted) {
    await delay(clock, terms.retryMs, end).catch(() => {});
    if (end.aborted) break;
    const askedMs = clock.monotonicMs();
    try {
      const { taken } = await takeLease(terms, deps, undefined, end);
      if (!taken) break;
      deadline.cancel();
      deadline = lateAfter(askedMs);
    } catch (error) {
      if (!signal.aborted)
        deps.log.warn("lease not renewed", { lease: terms.name, error: describeError(error) });
    }
  }
  deadline.cancel();
}

async function takeLease(
  terms: Terms,
  deps: LeaderElectionDependencies,
  sighting: LeaseSighting | undefined,
  signal: AbortSignal,
): Promise<{ readonly taken: boolean; readonly sighting: LeaseSighting | undefined }> {
  const call = { signal, timeoutMs: terms.renewDeadlineMs };
  const current = await deps.client.get(LEASES, terms, call);
  const monotonicMs = deps.clock.monotonicMs();
  const decision = decideLease(current, terms, sighting, { nowMs: deps.clock.nowMs(), monotonicMs });
  if (decision.kind === "wait") return { taken: false, sighting: decision.sighting };
  const lease: Lease = {
    metadata: { ...current?.metadata, namespace: terms.namespace, name: terms.name },
    spec: decision.spec,
  };
  try {
    await (current === undefined
      ? deps.client.create(LEASES, lease, call)
      : deps.client.replace(LEASES, lease, call));
    return { taken: true, sighting: undefined };
  } catch (error) {
    // Another candidate was faster.
    if (isConflict(error) || isAlreadyExists(error)) return { taken: false, sighting };
    throw error;
  }
}

/** Lets the next candidate begin at once, as client-go's ReleaseOnCancel. */
async function release(terms: Terms, deps: LeaderElectionDependencies): Promise<void> {
  try {
    const current = await deps.client.get(LEASES, terms, { timeoutMs: terms.retryMs });
    if (current?.spec?.holderIdentity !== terms.identity) return;
    const spec = {
      ...current.spec,
      holderIdentity: "",
      leaseDurationSeconds: 1,
      renewTime: formatMicroTime(deps.clock.nowMs()),
    };
    await deps.client.replace(LEASES, { ...current, spec }, { timeoutMs: terms.retryMs });
  } catch (error) {
    deps.log.warn("lease not released, it will expire", { lease: terms.name, error: describeError(error) });
  }
}
