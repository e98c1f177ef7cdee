/**
 * Follows the file of revocation lists that `CRL_PATH` names (reference: protocol §1.2). Its directory is watched and not the file:
 * a ConfigMap is replaced by swapping a symbolic link beside it, after which the old file never changes again.
 */

import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Certificate, RevocationList } from "@meltemi/identity";
import { type Clock, describeError, detach, type Logger, type Timer, unreachable } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import { type CrlReading, readCrlFile } from "./read-crl-file.ts";

/** As Istio: a file is written in several steps, each of them an event. Counted from the first, or events could delay it forever. */
const DEBOUNCE_MS = 2000;
/** A directory that is not there (yet), or a file that we cannot start with, is looked at this often. */
const RETRY_MS = 10_000;

export interface CrlFile extends Disposable {
  /**
   * Resolves when it is known who is revoked: lists were read and hold, or there is no file. Pends while the first file is unreadable,
   * malformed or not signed by whom it names: serving without it would let in whom it forbids.
   */
  readonly ready: Promise<void>;
}

export interface CrlFileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** CA certificates to prove lists by. A rejection is a reason to refuse the file. */
  readonly authorities: () => Promise<readonly Certificate[]>;
  /** Called with every good version of the file. One that is refused or missing later changes nothing: the last good one stays. */
  readonly onLists: (lists: readonly RevocationList[]) => void;
}

export function followCrlFile(path: string, deps: CrlFileDeps): CrlFile {
  return new Follower(path, deps);
}

type Outcome = "in_force" | "absent" | "refused";

class Follower implements CrlFile {
  readonly #path: string;
  readonly #deps: CrlFileDeps;
  readonly #known = Promise.withResolvers<void>();
  readonly #count: (outcome: Outcome) => void;
  #watcher: FSWatcher | undefined;
  /** Set from the first change on. */
  #settling: Timer | undefined;
  #retry: Timer | undefined;
  #reading = false;
  /** Something happened while the file was being read. */
  #changed = false;
  #standing: "unknown" | "none" | "lists" = "unknown";
  #disposed = false;

  constructor(path: string, deps: CrlFileDeps) {
    this.#path = path;
    this.#deps = deps;
    const readings = deps.registry.counter({
      name: "meltemi_crl_file_readings",
      help: "Times that the file of revocation lists was read, by what came of it: in_force, absent, refused.",
      labels: ["outcome"],
    });
    this.#count = (outcome) => readings.labels({ outcome }).inc();
    this.#begin();
  }

  get ready(): Promise<void> {
    return this.#known.promise;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#settling?.cancel();
    this.#retry?.cancel();
    this.#watcher?.close();
  }

  /** Every failure of the file is a result; what is caught here is a fault of ours. */
  #begin(): void {
    const onError = (error: unknown): void =>
      this.#deps.logger.error("revocation lists not applied", { error: describeError(error) });
    detach(() => this.#load(), onError);
  }

  async #load(): Promise<void> {
    this.#reading = true;
    this.#changed = false;
    // Before the reading, so that no change falls between; anew each time, since the directory itself may have been replaced.
    const watched = this.#watch();
    const reading = await readCrlFile(this.#path, this.#deps.authorities);
    this.#reading = false;
    if (this.#disposed) return;
    this.#take(reading);
    if (this.#standing !== "unknown") this.#known.resolve();
    if (this.#changed) this.#onEvent();
    else if (!watched || this.#standing === "unknown") this.#retry = this.#loadAfter(RETRY_MS);
  }

  #take(reading: CrlReading): void {
    const { logger } = this.#deps;
    const path = this.#path;
    switch (reading.kind) {
      case "lists":
        this.#count("in_force");
        this.#apply(reading.lists);
        return;
      case "absent":
        this.#count("absent");
        if (this.#standing === "lists")
          logger.warn("revocation lists are gone, the last good ones stay in force", { path });
        else logger.info("no revocation lists, no certificate counts as revoked", { path });
        if (this.#standing === "unknown") this.#standing = "none";
        return;
      case "refused":
        this.#count("refused");
        logger.error("revocation lists refused", { path, error: reading.why, in_force: this.#inForce() });
        return;
      default:
        unreachable(reading);
    }
  }

  #inForce(): string {
    if (this.#standing === "unknown") return "none: no traffic is served without knowing who is revoked";
    return this.#standing === "none" ? "none" : "the last good ones";
  }

  #apply(lists: readonly RevocationList[]): void {
    this.#standing = "lists";
    const entries = lists.reduce((sum, { serialNumbers }) => sum + serialNumbers.size, 0);
    const facts = { path: this.#path, lists: lists.length, entries };
    this.#deps.logger.info("revocation lists in force", facts);
    const nowMs = this.#deps.clock.nowMs();
    const overdue = lists.filter(({ nextUpdateMs }) => nextUpdateMs !== undefined && nextUpdateMs < nowMs);
    // What was revoked stays so; but somebody has stopped to write lists.
    if (overdue.length > 0)
      this.#deps.logger.warn("revocation lists are overdue", { path: this.#path, overdue: overdue.length });
    this.#deps.onLists(lists);
  }

  /** False when the directory cannot be watched. */
  #watch(): boolean {
    this.#watcher?.close();
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => this.#onEvent());
    } catch {
      // The reading that follows says what is wrong with the path.
      this.#watcher = undefined;
      return false;
    }
    this.#watcher.on("error", () => this.#onEvent());
    return true;
  }

  #onEvent(): void {
    if (this.#reading) this.#changed = true;
    else if (!this.#disposed) this.#settling ??= this.#loadAfter(DEBOUNCE_MS);
  }

  #loadAfter(ms: number): Timer {
    return this.#deps.clock.after(ms, () => {
      this.#settling?.cancel();
      this.#retry?.cancel();
      this.#settling = this.#retry = undefined;
      this.#begin();
    });
  }
}
