/** When a certificate is fetched again, and what it is in the meantime (reference: protocol §4.2). Pure. */

import { backoffMs } from "@meltemi/runtime";
import type { WorkloadCertificate } from "./workload-certificate.ts";

/** More urgent ones first when more are wanted than may be fetched at once. */
export const PRIORITIES = ["realtime", "warmup", "background"] as const;
export type Priority = (typeof PRIORITIES)[number];

export type CertificateStatus =
  | { readonly kind: "initializing" }
  | { readonly kind: "available"; readonly certificate: WorkloadCertificate }
  | { readonly kind: "unavailable"; readonly error: Error };

/** Standing after a fetch: what callers get, when to fetch again, and how often it has failed in a row. */
export interface Standing {
  readonly status: CertificateStatus;
  readonly failures: number;
  readonly nextFetchAtMs: number;
}

const FAILURE_BACKOFF = { baseMs: 1000, maxMs: 150_000, jitter: 0.2 } as const;
/** A life so short that its half is over at once must not make a loop without a pause. */
const MIN_REFRESH_MS = 1000;

export const NEW_STANDING: Standing = { status: { kind: "initializing" }, failures: 0, nextFetchAtMs: 0 };

export function afterSuccess(certificate: WorkloadCertificate, nowMs: number): Standing {
  return {
    status: { kind: "available", certificate },
    failures: 0,
    nextFetchAtMs: refreshAtMs(certificate, nowMs),
  };
}

/** A certificate that is still valid stays in use: an unreachable CA must not break running workloads. */
export function afterFailure(before: Standing, error: Error, nowMs: number, random: () => number): Standing {
  const waitMs = backoffMs(FAILURE_BACKOFF, before.failures, random);
  const failures = before.failures + 1;
  const { status } = before;
  if (status.kind !== "available" || !isValid(status.certificate, nowMs))
    return { status: { kind: "unavailable", error }, failures, nextFetchAtMs: nowMs + waitMs };
  const leftMs = status.certificate.notAfterMs - nowMs;
  return { status, failures, nextFetchAtMs: nowMs + Math.min(waitMs, Math.max(leftMs, MIN_REFRESH_MS)) };
}

/** At half of its life; when that has passed already (a very short life), at half of what is left. */
export function refreshAtMs(certificate: WorkloadCertificate, nowMs: number): number {
  const { notBeforeMs, notAfterMs } = certificate;
  const halfMs = notBeforeMs + (notAfterMs - notBeforeMs) / 2;
  return halfMs > nowMs ? halfMs : nowMs + Math.max(MIN_REFRESH_MS, (notAfterMs - nowMs) / 2);
}

export function isValid(certificate: WorkloadCertificate, nowMs: number): boolean {
  return nowMs <= certificate.notAfterMs;
}

/** As Istio's config dump shows it. */
export function statusText(status: CertificateStatus): string {
  switch (status.kind) {
    case "initializing":
      return "Initializing";
    case "available":
      return "Available";
    case "unavailable":
      return `Unavailable: ${status.error.message}`;
  }
}
