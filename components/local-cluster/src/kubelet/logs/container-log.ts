/** Writes one container run's output into a file of bounded size, and wakes those who follow it. */

import { constants, openSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { Socket } from "node:net";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { splitOutput } from "./line.ts";

/** The kubelet's own defaults are 10 MiB and five files; two are enough to read back and bound a node with 250 pods. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

export interface ContainerLogOptions {
  /** FIFO that the container writes into. */
  readonly fifo: string;
  readonly path: string;
  readonly maxFileBytes?: number;
}

export interface ContainerLog {
  readonly path: string;
  /** Grows by one with every rotation: the file at `path` is another one then, the old one is `<path>.1`. */
  readonly generation: number;
  /** No more output comes. */
  readonly ended: boolean;
  /** Resolves at the next change: new bytes, or the end. */
  changed(): Promise<void>;
  /** Calls `listener` with the output as it comes, before it is written down. Returns how to stop. */
  onOutput(listener: (chunk: Buffer) => void): () => void;
  /** Everything up to the container's end is in the file. */
  readonly finished: Promise<void>;
  /** Stops reading: the container's pipe keeps what comes next for the next kubelet. */
  detach(): void;
}

export async function openContainerLog(
  options: ContainerLogOptions,
  deps: { readonly clock: Clock; readonly log: Logger },
): Promise<ContainerLog> {
  // Non-blocking: opening for reading alone would wait for a writer. The socket owns the descriptor.
  const pipe = openSync(options.fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd: pipe, readable: true, writable: false });
  try {
    const file = await open(options.path, "a", 0o600);
    const { size } = await file.stat();
    const log = new LogFile(options, deps, file, size);
    log.attach(socket);
    return log;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

class LogFile implements ContainerLog {
  readonly path: string;
  generation = 0;
  ended = false;
  readonly finished: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);
  #size: number;
  #file: FileHandle;
  #socket: Socket | undefined;
  #waiting = Promise.withResolvers<void>();
  readonly #finish = Promise.withResolvers<void>();
  readonly #listeners = new Set<(chunk: Buffer) => void>();
  readonly #maxFileBytes: number;
  readonly #deps: { readonly clock: Clock; readonly log: Logger };

  constructor(
    options: ContainerLogOptions,
    deps: { readonly clock: Clock; readonly log: Logger },
    file: FileHandle,
    size: number,
  ) {
    this.path = options.path;
    this.#maxFileBytes = options.maxFileBytes ?? MAX_FILE_BYTES;
    this.#deps = deps;
    this.#file = file;
    this.#size = size;
    this.finished = this.#finish.promise;
  }

  attach(socket: Socket): void {
    this.#socket = socket;
    void this.#copy(socket);
  }

  changed(): Promise<void> {
    return this.ended ? Promise.resolve() : this.#waiting.promise;
  }

  onOutput(listener: (chunk: Buffer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  detach(): void {
    this.#socket?.destroy();
  }

  /** Reading waits for the disk: a container that writes faster is held back by its own pipe. */
  async #copy(socket: Socket): Promise<void> {
    try {
      for await (const chunk of socket) {
        for (const listener of [...this.#listeners]) listener(chunk as Buffer);
        await this.#append(chunk as Buffer, false);
      }
      await this.#append(Buffer.alloc(0), true);
    } catch (error) {
      if (!socket.destroyed) this.#deps.log.warn("container log ends early", { error: describeError(error) });
    }
    await this.#file.close();
    this.ended = true;
    this.#wake();
    this.#finish.resolve();
  }

  async #append(chunk: Buffer, flush: boolean): Promise<void> {
    const { entries, rest } = splitOutput(this.#rest, chunk, this.#deps.clock.nowMs(), flush);
    // A copy: a view would keep the whole chunk alive for the sake of its last bytes.
    this.#rest = Buffer.from(rest);
    if (entries.length === 0) return;
    if (this.#size + entries.length > this.#maxFileBytes && this.#size > 0) await this.#rotate();
    await this.#file.appendFile(entries);
    this.#size += entries.length;
    this.#wake();
  }

  async #rotate(): Promise<void> {
    await this.#file.close();
    await rename(this.path, `${this.path}.1`);
    this.#file = await open(this.path, "a", 0o600);
    this.#size = 0;
    this.generation += 1;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = Promise.withResolvers();
    waiting.resolve();
  }
}
