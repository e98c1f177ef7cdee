/**
 * Waiting until a descriptor that Node's own loop cannot watch (SEQPACKET sockets, eBPF ring buffers) is ready. One thread for the
 * whole process blocks in poll(2); koffi's asynchronous calls would block libuv's four pool threads instead, and with them `fs` and `dns`.
 */

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { MeshError } from "@meltemi/runtime";
import { checked } from "./failure.ts";
import { libc } from "./libc.ts";

export type ReadinessCommand =
  | { readonly kind: "watch"; readonly token: number; readonly fd: number; readonly events: number }
  | { readonly kind: "forget"; readonly token: number }
  | { readonly kind: "stop" };

export interface ReadinessData {
  readonly wakeFd: number;
  readonly commands: MessagePort;
}

export type ReadinessKind = "readable" | "writable";

const POLL_EVENTS: Readonly<Record<ReadinessKind, number>> = { readable: 1, writable: 4 };
const EFD_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

class ReadinessThread {
  readonly #wakeFd = checked("make event descriptor", libc.eventfd(0, EFD_NONBLOCK_CLOEXEC));
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter>();
  #nextToken = 1;
  #failure: MeshError | undefined;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const data: ReadinessData = { wakeFd: this.#wakeFd, commands: port2 };
    // The thread stands still in poll(2): it must never be the one to load a test runner's or debugger's hooks. Without its own
    // compiler of TypeScript it is 14 MB smaller.
    this.#worker = new Worker(new URL("./readiness.worker.mjs", import.meta.url), {
      workerData: data,
      transferList: [port2],
      execArgv: ["--no-strip-types"],
      name: "readiness",
    });
    this.#worker.unref();
    this.#port.on("message", (token: number) => this.#settle(token));
    this.#port.unref();
    this.#worker.on("error", (cause) => this.#fail(cause));
    // Node joins its threads on exit, and this one would sleep in poll(2) for ever.
    process.once("exit", () => this.#tell({ kind: "stop" }));
  }

  wait(fd: number, kind: ReadinessKind, signal?: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const token = this.#nextToken++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#tell({ kind: "forget", token });
      this.#remove(token)?.reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const settled = <A extends unknown[]>(act: (...args: A) => void) => {
      return (...args: A): void => {
        signal?.removeEventListener("abort", onAbort);
        act(...args);
      };
    };
    this.#waiters.set(token, { resolve: settled(resolve), reject: settled(reject) });
    this.#port.ref();
    this.#tell({ kind: "watch", token, fd, events: POLL_EVENTS[kind] });
    return promise;
  }

  #tell(command: ReadinessCommand): void {
    this.#port.postMessage(command);
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    // EAGAIN would mean 2^64 unread wake-ups: the thread has one to read either way.
    libc.write(this.#wakeFd, one, 8);
  }

  #settle(token: number): void {
    this.#remove(token)?.resolve();
  }

  #remove(token: number): Waiter | undefined {
    const waiter = this.#waiters.get(token);
    this.#waiters.delete(token);
    if (this.#waiters.size === 0) this.#port.unref();
    return waiter;
  }

  #fail(cause: unknown): void {
    this.#failure = new MeshError("KERNEL", "wait for descriptors: the waiting thread ended", { cause });
    for (const token of [...this.#waiters.keys()]) this.#remove(token)?.reject(this.#failure);
  }
}

/** One per process by design, hence module state: a second thread would only cost memory. */
let thread: ReadinessThread | undefined;

/**
 * Resolves once when `fd` is readable or writable (or failed: the next call on it says how); rejects with the signal's reason.
 * Abort the wait before closing `fd`. A pending wait keeps the process alive.
 */
export function whenReady(fd: number, kind: ReadinessKind, signal?: AbortSignal): Promise<void> {
  thread ??= new ReadinessThread();
  return thread.wait(fd, kind, signal);
}
