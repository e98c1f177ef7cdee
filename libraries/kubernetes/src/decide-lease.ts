/** Whether a candidate may take a Lease. Clocks of other machines are not trusted: a lease is stale when *we* saw it unchanged for its duration. */

import type { Lease, LeaseSpec } from "kubernetes-types/coordination/v1.js";

export interface LeaseTerms {
  readonly identity: string;
  readonly leaseDurationMs: number;
}

/** The lease as it was first seen in this form, by our own clock. */
export interface LeaseSighting {
  readonly resourceVersion: string;
  readonly seenMs: number;
}

export type LeaseDecision =
  | { readonly kind: "take"; readonly spec: LeaseSpec }
  | { readonly kind: "wait"; readonly sighting: LeaseSighting };

export function decideLease(
  current: Lease | undefined,
  terms: LeaseTerms,
  sighting: LeaseSighting | undefined,
  time: { readonly nowMs: number; readonly monotonicMs: number },
): LeaseDecision {
  const holder = current?.spec?.holderIdentity ?? "";
  const resourceVersion = current?.metadata?.resourceVersion ?? "";
  if (holder !== "" && holder !== terms.identity) {
    const seen =
      sighting?.resourceVersion === resourceVersion
        ? sighting
        : { resourceVersion, seenMs: time.monotonicMs };
    const lifeMs = (current?.spec?.leaseDurationSeconds ?? terms.leaseDurationMs / 1000) * 1000;
    if (time.monotonicMs - seen.seenMs < lifeMs) return { kind: "wait", sighting: seen };
  }
  return { kind: "take", spec: takenSpec(current?.spec, terms, time.nowMs) };
}

function takenSpec(previous: LeaseSpec | undefined, terms: LeaseTerms, nowMs: number): LeaseSpec {
  const renewTime = formatMicroTime(nowMs);
  const ours = previous?.holderIdentity === terms.identity;
  return {
    holderIdentity: terms.identity,
    leaseDurationSeconds: Math.ceil(terms.leaseDurationMs / 1000),
    renewTime,
    acquireTime: (ours ? previous.acquireTime : undefined) ?? renewTime,
    leaseTransitions: (previous?.leaseTransitions ?? 0) + (ours || previous === undefined ? 0 : 1),
  };
}

/** `metav1.MicroTime`: RFC 3339 with six digits. */
export function formatMicroTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace("Z", "000Z");
}
