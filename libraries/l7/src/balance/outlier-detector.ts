/**
 * Passive health checks: endpoints whose answers fail in a row are left out for a while (Envoy's outlier detection; reference:
 * l7-and-cli §2.5 `outlierDetection`). A state machine: results and sweeps go in with the time, ejections come out.
 */

import type { OutlierDetection } from "@meltemi/model/l7";

/** How one try of a request ended. */
export type TryResult =
  | { readonly kind: "status"; readonly code: number }
  /** No connection, a reset, or no answer in time. */
  | { readonly kind: "localOrigin"; readonly cause: "connectFailed" | "reset" | "timeout" };

export type EjectionReason =
  | "consecutive_5xx"
  | "consecutive_gateway_failure"
  | "consecutive_local_origin_failure";

export interface Ejection {
  readonly uid: string;
  readonly reason: EjectionReason;
  /** At the earliest; it ends with the sweep after that. */
  readonly untilMs: number;
}

/** Ejections grow no longer than this, unless one alone is; Envoy's `max_ejection_time`. */
const MAX_EJECTION_MS = 300_000;

interface EndpointRecord {
  failures5xx: number;
  failuresGateway: number;
  failuresLocal: number;
  /** How many base times the next ejection lasts, less one; falls again with each quiet sweep. */
  ejections: number;
  /** Zero: not ejected. */
  ejectedUntilMs: number;
  returnedMs: number;
}

export class OutlierDetector {
  readonly #policy: OutlierDetection;
  readonly #records = new Map<string, EndpointRecord>();
  #ejected: ReadonlySet<string> = new Set();

  constructor(policy: OutlierDetection) {
    this.#policy = policy;
  }

  /** Replaced, never changed, when someone is ejected or returns. */
  get ejected(): ReadonlySet<string> {
    return this.#ejected;
  }

  /** All endpoints of the cluster by uid; records of those that stay are kept. */
  setEndpoints(uids: readonly string[]): void {
    const present = new Set(uids);
    for (const uid of this.#records.keys()) if (!present.has(uid)) this.#records.delete(uid);
    for (const uid of present) if (!this.#records.has(uid)) this.#records.set(uid, newRecord());
    if ([...this.#ejected].some((uid) => !present.has(uid)))
      this.#ejected = new Set([...this.#ejected].filter((uid) => present.has(uid)));
  }

  /** Undefined: nobody is ejected for it. */
  onResult(uid: string, result: TryResult, nowMs: number): Ejection | undefined {
    const record = this.#records.get(uid);
    // A late answer of one that is out, or gone, says nothing new.
    if (record === undefined || record.ejectedUntilMs > 0) return undefined;
    const reason = count(record, result, this.#policy);
    return reason === undefined ? undefined : this.#eject(uid, record, reason, nowMs);
  }

  /** Every `intervalMs`: who has been out long enough returns. Gives the uids of those. */
  onSweep(nowMs: number): readonly string[] {
    const returned: string[] = [];
    for (const [uid, record] of this.#records) {
      if (record.ejectedUntilMs === 0) {
        const isQuiet = nowMs - record.returnedMs >= this.#policy.intervalMs;
        if (record.ejections > 0 && isQuiet) record.ejections--;
      } else if (record.ejectedUntilMs <= nowMs) {
        Object.assign(record, newRecord(), { ejections: record.ejections, returnedMs: nowMs });
        returned.push(uid);
      }
    }
    if (returned.length > 0)
      this.#ejected = new Set([...this.#ejected].filter((uid) => !returned.includes(uid)));
    return returned;
  }

  /** One may always go, else a share of few would be none. */
  #eject(uid: string, record: EndpointRecord, reason: EjectionReason, nowMs: number): Ejection | undefined {
    const { baseEjectionTimeMs, maxEjectionPercent } = this.#policy;
    const percent = (100 * (this.#ejected.size + 1)) / this.#records.size;
    if (maxEjectionPercent <= 0) return undefined;
    if (this.#ejected.size > 0 && percent > maxEjectionPercent) return undefined;
    const longest = Math.max(MAX_EJECTION_MS, baseEjectionTimeMs);
    // Beyond the longest time it need not grow: it would only take as long to fall again.
    if (record.ejections * baseEjectionTimeMs < longest) record.ejections++;
    record.ejectedUntilMs = nowMs + Math.min(record.ejections * baseEjectionTimeMs, longest);
    this.#ejected = new Set([...this.#ejected, uid]);
    return { uid, reason, untilMs: record.ejectedUntilMs };
  }
}

function newRecord(): EndpointRecord {
  return {
    failures5xx: 0,
    failuresGateway: 0,
    failuresLocal: 0,
    ejections: 0,
    ejectedUntilMs: 0,
    returnedMs: 0,
  };
}

/** Counts what ended a try, and says which count is full with it. */
function count(
  record: EndpointRecord,
  result: TryResult,
  policy: OutlierDetection,
): EjectionReason | undefined {
  if (result.kind === "localOrigin" && policy.splitLocalOriginErrors) {
    record.failuresLocal++;
    if (record.failuresLocal !== policy.consecutiveLocalOriginFailures) return undefined;
    record.failuresLocal = 0;
    return "consecutive_local_origin_failure";
  }
  // An answer, whatever it says, came over a connection that works.
  if (result.kind === "status") record.failuresLocal = 0;
  // Without the split, failures of the way count as the answers that the client gets for them.
  const code = result.kind === "status" ? result.code : result.cause === "timeout" ? 504 : 503;
  if (result.kind === "status" && !isFailure(code, policy)) {
    record.failures5xx = 0;
    record.failuresGateway = 0;
    return undefined;
  }
  record.failuresGateway = code >= 502 && code <= 504 ? record.failuresGateway + 1 : 0;
  record.failures5xx++;
  if (policy.consecutiveGatewayErrors > 0 && record.failuresGateway >= policy.consecutiveGatewayErrors) {
    record.failuresGateway = 0;
    return "consecutive_gateway_failure";
  }
  if (policy.consecutive5xx > 0 && record.failures5xx >= policy.consecutive5xx) {
    record.failures5xx = 0;
    return "consecutive_5xx";
  }
  return undefined;
}

function isFailure(code: number, { errorCodes }: OutlierDetection): boolean {
  return errorCodes.length === 0 ? code >= 500 && code <= 599 : errorCodes.includes(code);
}
