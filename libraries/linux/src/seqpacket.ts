/**
 * Unix sockets of kind SOCK_SEQPACKET with descriptors passed along (unix(7), SCM_RIGHTS): message boundaries kept, order kept.
 * Node has no such sockets. All calls are non-blocking on the calling thread; waiting is done by {@link whenReady}.
 */

import { chmodSync, rmSync } from "node:fs";
import { MeshError } from "@meltemi/runtime";
import { checked, ERRNO, kernelError } from "./failure.ts";
import { lastErrno, libc } from "./libc.ts";
import { whenReady } from "./readiness.ts";
import { type Packet, receivePacket, sendPacket } from "./seqpacket-message.ts";
import { ownSocketFile, type SocketFile } from "./socket-file.ts";

export interface SeqpacketConnection extends Disposable {
  readonly fd: number;
  /** Sends one message whole; waits while the peer's queue is full. `fds` stay the caller's. EPIPE when the peer is gone. */
  send(bytes: Uint8Array, fds?: readonly number[], signal?: AbortSignal): Promise<void>;
  /** Next message, undefined at the end of the stream. The descriptors in it are the caller's to close. One receive at a time. */
  receive(signal?: AbortSignal): Promise<Packet | undefined>;
  /** Ends pending waits with ABORTED. Closing twice does nothing. */
  close(): void;
}

export interface SeqpacketListener extends Disposable {
  accept(signal?: AbortSignal): Promise<SeqpacketConnection>;
  /** Stops listening and removes the socket file, unless somebody else listens there by now. Closing twice does nothing. */
  close(): void;
}

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
/** `sun_path` holds 108 bytes, the closing NUL among them. */
const MAX_PATH_BYTES = 107;

export interface SeqpacketListenOptions {
  readonly path: string;
  readonly backlog: number;
  /** Permission bits of the socket file, e.g. 0o600. */
  readonly mode: number;
}

/** Listens on `path`; a stale socket file there is removed first. */
export function listenSeqpacket(options: SeqpacketListenOptions): SeqpacketListener {
  const { path } = options;
  const address = unixAddress(path);
  rmSync(path, { force: true });
  const fd = checked("make unix socket", libc.socket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK_CLOEXEC, 0), path);
  let file: SocketFile;
  try {
    checked("bind", libc.bind(fd, address, address.length), path);
    file = ownSocketFile(path);
    chmodSync(path, options.mode);
    checked("listen", libc.listen(fd, options.backlog), path);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  const closing = new AbortController();
  const close = (): void => {
    if (closing.signal.aborted) return;
    closing.abort(closedError(path));
    file.remove();
    libc.close(fd);
  };
  const accept = async (signal?: AbortSignal): Promise<SeqpacketConnection> => {
    for (;;) {
      closing.signal.throwIfAborted();
      const accepted = libc.accept4(fd, null, null, NONBLOCK_CLOEXEC);
      if (accepted >= 0) return connectionOf(accepted, path);
      const errno = lastErrno();
      // ECONNABORTED: the peer left while it waited; the next one may be there.
      if (errno === ERRNO.ECONNABORTED || errno === ERRNO.EINTR) continue;
      if (errno !== ERRNO.EAGAIN) throw kernelError("accept on", errno, path);
      await whenReady(fd, "readable", eitherSignal(closing.signal, signal));
    }
  };
  return { accept, close, [Symbol.dispose]: close };
}

/** Connects at once or throws KERNEL: ENOENT and ECONNREFUSED when nobody listens, EAGAIN when the backlog is full. */
export function connectSeqpacket(path: string): SeqpacketConnection {
  const address = unixAddress(path);
  const fd = checked("make unix socket", libc.socket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK_CLOEXEC, 0), path);
  if (libc.connect(fd, address, address.length) !== 0) {
    const errno = lastErrno();
    libc.close(fd);
    throw kernelError("connect to", errno, path);
  }
  return connectionOf(fd, path);
}

function connectionOf(fd: number, path: string): SeqpacketConnection {
  const closing = new AbortController();
  const attempt = async <T>(
    kind: "readable" | "writable",
    signal: AbortSignal | undefined,
    act: () => T | "again",
  ): Promise<T> => {
    for (;;) {
      closing.signal.throwIfAborted();
      signal?.throwIfAborted();
      const result = act();
      if (result !== "again") return result;
      await whenReady(fd, kind, eitherSignal(closing.signal, signal));
    }
  };
  const close = (): void => {
    if (closing.signal.aborted) return;
    closing.abort(closedError(path));
    libc.close(fd);
  };
  return {
    fd,
    send: (bytes, fds = [], signal) => attempt("writable", signal, () => sendPacket(fd, bytes, fds)),
    receive: (signal) => attempt("readable", signal, () => receivePacket(fd)),
    close,
    [Symbol.dispose]: close,
  };
}

function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(path, "utf8");
  if (bytes.length === 0 || bytes.length > MAX_PATH_BYTES || bytes.includes(0)) {
    throw new MeshError(
      "INPUT_INVALID",
      `use unix socket path ${JSON.stringify(path)}: expected 1 to ${MAX_PATH_BYTES} bytes without NUL`,
    );
  }
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  address.set(bytes, 2);
  return address;
}

function eitherSignal(closing: AbortSignal, given: AbortSignal | undefined): AbortSignal {
  return given === undefined ? closing : AbortSignal.any([closing, given]);
}

function closedError(path: string): MeshError {
  return new MeshError("ABORTED", `use unix socket ${path}: it was closed on this side`);
}
