/**
 * Keeps a fresh certificate for every identity of the node (reference: protocol §4.2): fetches the urgent ones first, few at
 * a time, renews at half life, and goes on serving the old one while it is valid.
 */

import { formatIdentity, type Identity } from "@meltemi/model";
import { type Clock, describeError, type Logger, MeshError, type Timer } from "@meltemi/runtime";
import {
  afterFailure,
  afterSuccess,
  isValid,
  NEW_STANDING,
  PRIORITIES,
  type Priority,
  type Standing,
  statusText,
} from "./certificate-schedule.ts";
import { type DumpedCertificate, dumpCertificate, type WorkloadCertificate } from "./workload-certificate.ts";

/** Enough to warm up a full node in seconds, too few for a thousand nodes to drown the CA when they start together. */
const MAX_CONCURRENT_FETCHES = 8;
/** Service accounts on one node: Kubernetes runs some hundred pods there. Each costs a key, a chain and a timer. */
const MAX_IDENTITIES = 4096;
/** Timers run on a clock that stands still while a machine sleeps; dates do not. So no timer is longer than this. */
const MAX_SLEEP_MS = 60_000;

export interface CertificateManagerDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly fetch: (identity: Identity, signal: AbortSignal) => Promise<WorkloadCertificate>;
  readonly log?: Logger;
}

export interface CertificateManagerOptions {
  readonly maxConcurrentFetches?: number;
  readonly maxIdentities?: number;
}

/** One line of the config dump; `certChain` and `rootCerts` are empty unless a certificate is held. */
export interface CertificateState {
  readonly identity: string;
  readonly state: string;
  readonly certChain: readonly DumpedCertificate[];
  readonly rootCerts: readonly DumpedCertificate[];
}

export interface CertificateManager extends Disposable {
  /**
   * The valid certificate, or the first one when it comes. Rejects at once while the identity is unavailable, and when the
   * identity is forgotten meanwhile (ABORTED) or there are too many (LIMIT_EXCEEDED).
   */
  get(identity: Identity, priority: Priority): Promise<WorkloadCertificate>;
  /** What {@link get} would give without waiting. */
  current(identity: Identity): WorkloadCertificate | undefined;
  /** Drops the certificate and its renewals: the last workload of this identity has left. */
  forget(identity: Identity): void;
  /** Called with every new certificate, the first one of an identity included. Returns how to stop it. */
  onRotated(listener: (certificate: WorkloadCertificate) => void): () => void;
  /** For the config dump, sorted by identity. */
  states(): readonly CertificateState[];
}

export function createCertificateManager(
  options: CertificateManagerOptions,
  deps: CertificateManagerDeps,
): CertificateManager {
  return new Certificates(options, deps);
}

interface Entry {
  readonly key: string;
  readonly identity: Identity;
  readonly stop: AbortController;
  /** Settles with the next result while there is no certificate. */
  first: PromiseWithResolvers<WorkloadCertificate>;
  standing: Standing;
  /** Priority while it waits for its turn. */
  queuedAs: Priority | undefined;
  /** Set while it rests; neither queued nor resting means that it is being fetched. */
  timer: Timer | undefined;
}

class Certificates implements CertificateManager {
  readonly #deps: CertificateManagerDeps;
  readonly #maxConcurrent: number;
  readonly #maxIdentities: number;
  readonly #entries = new Map<string, Entry>();
  readonly #queues: Readonly<Record<Priority, Set<Entry>>> = {
    realtime: new Set(),
    warmup: new Set(),
    background: new Set(),
  };
  readonly #listeners = new Set<(certificate: WorkloadCertificate) => void>();
  #fetching = 0;
  #disposed = false;

  constructor(options: CertificateManagerOptions, deps: CertificateManagerDeps) {
    this.#deps = deps;
    this.#maxConcurrent = options.maxConcurrentFetches ?? MAX_CONCURRENT_FETCHES;
    this.#maxIdentities = options.maxIdentities ?? MAX_IDENTITIES;
  }

  get(identity: Identity, priority: Priority): Promise<WorkloadCertificate> {
    const valid = this.current(identity);
    if (valid !== undefined) return Promise.resolve(valid);
    const key = formatIdentity(identity);
    const known = this.#entries.get(key);
    if (known !== undefined) return this.#getKnown(known, priority);
    const refusal = this.#refusal(key);
    if (refusal !== undefined) return Promise.reject(refusal);
    const entry: Entry = {
      key,
      identity,
      stop: new AbortController(),
      first: firstResult(),
      standing: NEW_STANDING,
      queuedAs: undefined,
      timer: undefined,
    };
    this.#entries.set(key, entry);
    this.#queue(entry, priority);
    this.#startNext();
    return entry.first.promise;
  }

  current(identity: Identity): WorkloadCertificate | undefined {
    const status = this.#entries.get(formatIdentity(identity))?.standing.status;
    if (status?.kind !== "available") return undefined;
    return isValid(status.certificate, this.#deps.clock.nowMs()) ? status.certificate : undefined;
  }

  forget(identity: Identity): void {
    const entry = this.#entries.get(formatIdentity(identity));
    if (entry === undefined) return;
    this.#entries.delete(entry.key);
    entry.timer?.cancel();
    if (entry.queuedAs !== undefined) this.#queues[entry.queuedAs].delete(entry);
    entry.stop.abort();
    entry.first.reject(
      new MeshError("ABORTED", `certificate for ${entry.key}: no longer wanted on this node`),
    );
  }

  onRotated(listener: (certificate: WorkloadCertificate) => void): () => void {
    const own = (certificate: WorkloadCertificate): void => listener(certificate);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  states(): readonly CertificateState[] {
    return [...this.#entries.values()]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, standing: { status } }) => ({
        identity: key,
        state: statusText(status),
        certChain:
          status.kind === "available"
            ? [status.certificate.leaf, ...status.certificate.intermediates].map(dumpCertificate)
            : [],
        rootCerts: status.kind === "available" ? status.certificate.roots.map(dumpCertificate) : [],
      }));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const entry of [...this.#entries.values()]) this.forget(entry.identity);
    this.#listeners.clear();
  }

  #getKnown(entry: Entry, priority: Priority): Promise<WorkloadCertificate> {
    const { status } = entry.standing;
    if (status.kind === "available") {
      // Expired unnoticed, as when the machine slept: as good as none, and worth asking at once.
      entry.standing = { ...entry.standing, status: { kind: "initializing" } };
      entry.first = firstResult();
    }
    if (entry.queuedAs !== undefined) this.#queue(entry, priority);
    else if (status.kind === "available" && entry.timer !== undefined) {
      entry.timer.cancel();
      entry.timer = undefined;
      this.#queue(entry, priority);
      this.#startNext();
    }
    return status.kind === "unavailable" ? Promise.reject(status.error) : entry.first.promise;
  }

  #refusal(key: string): MeshError | undefined {
    if (this.#disposed) return new MeshError("ABORTED", `certificate for ${key}: shutting down`);
    if (this.#entries.size < this.#maxIdentities) return undefined;
    return new MeshError(
      "LIMIT_EXCEEDED",
      `certificate for ${key}: at most ${this.#maxIdentities} identities on a node`,
    );
  }

  /** Puts it into the queue, or moves it up; never down. */
  #queue(entry: Entry, priority: Priority): void {
    if (entry.queuedAs !== undefined) {
      if (PRIORITIES.indexOf(entry.queuedAs) <= PRIORITIES.indexOf(priority)) return;
      this.#queues[entry.queuedAs].delete(entry);
    }
    entry.queuedAs = priority;
    this.#queues[priority].add(entry);
  }

  #startNext(): void {
    while (this.#fetching < this.#maxConcurrent) {
      const entry = this.#takeMostUrgent();
      if (entry === undefined) return;
      this.#fetching++;
      void this.#fetch(entry).finally(() => {
        this.#fetching--;
        this.#startNext();
      });
    }
  }

  #takeMostUrgent(): Entry | undefined {
    for (const priority of PRIORITIES) {
      for (const entry of this.#queues[priority]) {
        this.#queues[priority].delete(entry);
        entry.queuedAs = undefined;
        return entry;
      }
    }
    return undefined;
  }

  async #fetch(entry: Entry): Promise<void> {
    let result: WorkloadCertificate | Error;
    try {
      result = await this.#deps.fetch(entry.identity, entry.stop.signal);
    } catch (error) {
      result = error instanceof Error ? error : new MeshError("UNAVAILABLE", String(error));
    }
    if (entry.stop.signal.aborted) return;
    const nowMs = this.#deps.clock.nowMs();
    if (result instanceof Error) {
      entry.standing = afterFailure(entry.standing, result, nowMs, this.#deps.random);
      entry.first.reject(result);
    } else {
      entry.standing = afterSuccess(result, nowMs);
      entry.first.resolve(result);
    }
    this.#sleep(entry);
    if (result instanceof Error)
      this.#deps.log?.warn("certificate not fetched", { identity: entry.key, error: describeError(result) });
    else this.#announce(result);
  }

  #announce(certificate: WorkloadCertificate): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(certificate);
      } catch (error) {
        // A fault in one listener must not stop the renewals of every workload on the node.
        this.#deps.log?.error("certificate listener failed", { error: describeError(error) });
      }
    }
  }

  #sleep(entry: Entry): void {
    const leftMs = entry.standing.nextFetchAtMs - this.#deps.clock.nowMs();
    entry.timer = this.#deps.clock.after(Math.min(MAX_SLEEP_MS, leftMs), () => {
      entry.timer = undefined;
      if (this.#deps.clock.nowMs() < entry.standing.nextFetchAtMs) return this.#sleep(entry);
      this.#queue(entry, "background");
      this.#startNext();
    });
  }
}

/** A warm-up that fails has nobody waiting, and that is no unhandled rejection; whoever asks later gets the error. */
function firstResult(): PromiseWithResolvers<WorkloadCertificate> {
  const first = Promise.withResolvers<WorkloadCertificate>();
  first.promise.catch(() => {});
  return first;
}
