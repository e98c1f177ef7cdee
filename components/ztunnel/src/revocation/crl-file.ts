/**
 * Follows the file of revocation lists that `CRL_PATH` names (reference: protocol §1.2). Its directory is watched and not the file:
 * a ConfigMap is replaced by swapping a symbolic link beside it, after which the old file never changes again.
 */

import { constants, type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { MAX_REVOCATION_FILE_BYTES, type RevocationList, readRevocationFile } from "@meltemi/identity";
import { type Clock, describeError, type Logger, MeshError, type Timer } from "@meltemi/runtime";

/** As Istio: a file is written in several steps, each of them an event. Counted from the first, or events could delay it forever. */
const DEBOUNCE_MS = 2000;
/** A directory that is not there (yet) is looked for this often. */
const WATCH_RETRY_MS = 10_000;

export interface CrlFile extends Disposable {
  /** Resolves when the file was read the first time, whatever that gave. */
  readonly ready: Promise<void>;
}

export interface CrlFileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with every readable version of the file. A missing or unreadable one changes nothing: the last good one stays. */
  readonly onLists: (lists: readonly RevocationList[]) => void;
}

export function followCrlFile(path: string, deps: CrlFileDeps): CrlFile {
  return new Follower(path, deps);
}

class Follower implements CrlFile {
  readonly ready: Promise<void>;
  readonly #path: string;
  readonly #deps: CrlFileDeps;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #reading = false;
  /** Something happened while the file was being read. */
  #changed = false;
  #inForce = false;
  #disposed = false;

  constructor(path: string, deps: CrlFileDeps) {
    this.#path = path;
    this.#deps = deps;
    this.ready = this.#load();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#watcher?.close();
  }

  async #load(): Promise<void> {
    this.#reading = true;
    this.#changed = false;
    // Before the reading, so that no change falls between; anew each time, since the directory itself may have been replaced.
    const watched = this.#watch();
    const result = await readLists(this.#path);
    this.#reading = false;
    if (this.#disposed) return;
    if (result.kind === "ok") this.#apply(result.value);
    else
      this.#deps.logger.error("revocation lists not read", {
        path: this.#path,
        error: result.why,
        in_force: this.#inForce ? "the last good ones" : "none",
      });
    if (this.#changed) this.#loadAfter(DEBOUNCE_MS);
    else if (!watched) this.#loadAfter(WATCH_RETRY_MS);
  }

  #apply(lists: readonly RevocationList[]): void {
    this.#inForce = true;
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
    else this.#loadAfter(DEBOUNCE_MS);
  }

  #loadAfter(ms: number): void {
    if (this.#disposed) return;
    this.#timer ??= this.#deps.clock.after(ms, () => {
      this.#timer = undefined;
      // Never rejects: every failure in there is a result.
      void this.#load();
    });
  }
}

type Read =
  | { readonly kind: "ok"; readonly value: readonly RevocationList[] }
  | { readonly kind: "bad"; readonly why: string };

async function readLists(path: string): Promise<Read> {
  try {
    return readRevocationFile(await readBounded(path));
  } catch (error) {
    return { kind: "bad", why: describeError(error) };
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  // Without it a named pipe would hold a thread of the pool until somebody writes.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  if (!found.isFile()) throw new MeshError("INPUT_INVALID", "expected a regular file");
  if (found.size > MAX_REVOCATION_FILE_BYTES)
    throw new MeshError(
      "INPUT_INVALID",
      `${found.size} bytes, at most ${MAX_REVOCATION_FILE_BYTES} expected`,
    );
  return await file.readFile();
}
