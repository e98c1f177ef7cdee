/**
 * Sockets by bare system calls, watched by one ppoll(2). For the load of new connections: the generator and the application take their
 * CPU time from the same two cores as the proxies, and with Node's sockets they took more of it than the proxies of some peers.
 * What they cost still is in the figure of the direct path.
 */

import { closeFd } from "@meltemi/linux";
import koffi from "koffi";

const library = koffi.load("libc.so.6");

type Call<Arguments extends readonly unknown[]> = (...args: Arguments) => number;

const accept4 = library.func("int accept4(int fd, void *address, void *length, int flags)") as Call<
  [fd: number, address: null, length: null, flags: number]
>;
const read = library.func("long read(int fd, void *bytes, size_t length)") as Call<
  [fd: number, bytes: Uint8Array, length: number]
>;
const write = library.func("long write(int fd, void *bytes, size_t length)") as Call<
  [fd: number, bytes: Uint8Array, length: number]
>;
const ppoll = library.func(
  "int ppoll(void *entries, unsigned long count, void *timeout, void *signals)",
) as Call<[entries: Uint8Array, count: number, timeout: Uint8Array, signals: null]>;

const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const POLL_IN = 1;
const POLL_OUT = 4;
/** `struct pollfd`: descriptor, events wanted, events that are there. */
const ENTRY_BYTES = 8;
/** `struct timespec`: seconds, nanoseconds. */
const TIMEOUT = Buffer.alloc(16);

/** A waiting connection's descriptor; undefined when there is none. */
export function acceptRaw(listenerFd: number): number | undefined {
  const fd = accept4(listenerFd, null, null, NONBLOCK_CLOEXEC);
  return fd < 0 ? undefined : fd;
}

/** Bytes read into `into` from `at` on, 0 at the end; throws when the connection broke. */
export function readRaw(fd: number, into: Buffer, at: number): number {
  const length = read(fd, at === 0 ? into : into.subarray(at), into.length - at);
  if (length < 0) throw new Error(`read of a connection: errno ${koffi.errno()}`);
  return length;
}

/** Writes a message that always fits into an empty send buffer; throws when it did not. */
export function writeRaw(fd: number, message: Buffer): void {
  const written = write(fd, message, message.length);
  if (written !== message.length)
    throw new Error(`write to a connection: ${written < 0 ? `errno ${koffi.errno()}` : `${written} bytes`}`);
}

export interface Watched {
  readonly fd: number;
  /** It is ready for what it was watched for, or it broke: the next call says so. */
  onReady(): void;
}

/** What one thread watches. At most `capacity` at a time. Disposing closes what is left. */
export class PollSet implements Disposable {
  readonly #entries: Buffer;
  readonly #watched: Watched[] = [];

  constructor(capacity: number) {
    // Not from Node's pool: the kernel writes to it.
    this.#entries = Buffer.allocUnsafeSlow(capacity * ENTRY_BYTES);
  }

  get size(): number {
    return this.#watched.length;
  }

  add(watched: Watched, wanted: "readable" | "writable"): void {
    const index = this.#watched.push(watched) - 1;
    this.#entries.writeInt32LE(watched.fd, index * ENTRY_BYTES);
    this.#entries.writeInt32LE(wanted === "readable" ? POLL_IN : POLL_OUT, index * ENTRY_BYTES + 4);
  }

  /** Whatever it was watched for: from now on it is told when there is something to read. */
  awaitReadable(watched: Watched): void {
    this.#entries.writeInt32LE(POLL_IN, this.#watched.indexOf(watched) * ENTRY_BYTES + 4);
  }

  /** Stops watching, and closes. */
  close(watched: Watched): void {
    closeFd(watched.fd);
    const index = this.#watched.indexOf(watched);
    const last = this.#watched.length - 1;
    const moved = this.#watched.pop();
    if (index === last || moved === undefined) return;
    this.#watched[index] = moved;
    this.#entries.copy(this.#entries, index * ENTRY_BYTES, last * ENTRY_BYTES, (last + 1) * ENTRY_BYTES);
  }

  /** Waits until something is ready and tells it. False when nothing was within `timeoutMs`. */
  turn(timeoutMs: number): boolean {
    const seconds = Math.floor(timeoutMs / 1000);
    TIMEOUT.writeUInt32LE(seconds, 0);
    TIMEOUT.writeUInt32LE(Math.round((timeoutMs - seconds * 1000) * 1e6) % 1e9, 8);
    const found = ppoll(this.#entries, this.#watched.length, TIMEOUT, null);
    if (found <= 0) return false;
    const ready: Watched[] = [];
    for (let index = 0; index < this.#watched.length && ready.length < found; index++) {
      const watched = this.#watched[index];
      if (watched !== undefined && this.#entries.readInt16LE(index * ENTRY_BYTES + 6) !== 0)
        ready.push(watched);
    }
    for (const watched of ready) watched.onReady();
    return true;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#watched.splice(0)) closeFd(fd);
  }
}
