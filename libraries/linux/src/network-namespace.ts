/**
 * Network namespaces (network_namespaces(7)). A process of the mesh reaches into a pod by entering its namespace for the few
 * system calls that make a socket, and leaving again: the socket stays where it was made.
 */

import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { MeshError } from "@meltemi/runtime";
import { checked, closingOnFailure, kernelError } from "./failure.ts";
import { lastErrno, libc } from "./libc.ts";
import { AF_INET } from "./socket-address.ts";

/** An open handle on a namespace. Two handles mean the same namespace when `inode` and `device` are equal. */
export interface NetworkNamespace extends Disposable {
  readonly fd: number;
  readonly inode: bigint;
  readonly device: bigint;
  /** Closes the handle; closing twice does nothing. */
  close(): void;
}

const CLONE_NEWNET = 0x4000_0000;
const NS_GET_NSTYPE = 0xb703;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** Opens e.g. `/var/run/netns/blue` or `/proc/42/ns/net`. KERNEL when it is not there, INPUT_INVALID when it is another kind of file. */
export function openNetworkNamespace(path: string): NetworkNamespace {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new MeshError("KERNEL", `open network namespace ${path}: expected a namespace file`, {
      cause,
      details: { operation: "open", errno: (cause as NodeJS.ErrnoException).code ?? "unknown" },
    });
  }
  return networkNamespaceFromFd(fd);
}

/** Takes ownership of `fd` (also when it throws). INPUT_INVALID when the descriptor is no network namespace. */
export function networkNamespaceFromFd(fd: number): NetworkNamespace {
  const kind = libc.ioctl(fd, NS_GET_NSTYPE);
  if (kind !== CLONE_NEWNET) {
    libc.close(fd);
    throw new MeshError("INPUT_INVALID", `take descriptor ${fd} as network namespace: it is something else`);
  }
  const { ino, dev } = closingOnFailure(fd, () => fstatSync(fd, { bigint: true }));
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    closeSync(fd);
  };
  return { fd, inode: ino, device: dev, close, [Symbol.dispose]: close };
}

/** The namespace of the calling thread. */
export function currentNetworkNamespace(): NetworkNamespace {
  return openNetworkNamespace("/proc/thread-self/ns/net");
}

export function sameNetworkNamespace(a: NetworkNamespace, b: NetworkNamespace): boolean {
  return a.inode === b.inode && a.device === b.device;
}

/**
 * Where this thread is now. A thread of this process leaves its home namespace only inside {@link withNetworkNamespace}, which
 * brings it back or ends the process; so the home is opened once per thread (each worker has modules of its own) and kept
 * while the thread lives. The way there and back takes 6 µs; opening, checking and closing the home each time made it 18 µs on the
 * same machine, for every connection, and failed for want of a descriptor just when none was left.
 */
let here: NetworkNamespace | undefined;

/**
 * Runs `work` with the calling thread inside `netns`. `work` must be synchronous: whatever it leaves for later runs outside.
 * It must not be the process's first user of libuv's thread pool (async `fs`, `dns.lookup`, `crypto`): the pool's threads would
 * be born inside, and stay there.
 *
 * When the way back fails the process is aborted: every later socket, of any pod, would be made in this pod's namespace,
 * and its traffic would leave under the wrong identity. There is no safe way to go on.
 */
export function withNetworkNamespace<T>(netns: NetworkNamespace, work: () => T): T {
  here ??= currentNetworkNamespace();
  const before = here;
  checked("enter network namespace", libc.setns(netns.fd, CLONE_NEWNET), `${netns.inode}`);
  here = netns;
  let result: T;
  try {
    result = work();
  } finally {
    if (libc.setns(before.fd, CLONE_NEWNET) !== 0) abortStranded(netns, lastErrno());
    here = before;
  }
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new MeshError(
      "INPUT_INVALID",
      "run in network namespace: the work must be synchronous, got a promise",
    );
  }
  return result;
}

function abortStranded(netns: NetworkNamespace, errno: number): never {
  const { message } = kernelError("return from network namespace", errno, `${netns.inode}`);
  writeSync(2, `fatal: ${message}; this thread would make every later socket in that pod: aborting\n`);
  process.abort();
}

/** The kernel's own name of a namespace: unique while the machine is up, and what eBPF programs see. */
export function netnsCookie(netns: NetworkNamespace): bigint {
  const fd = withNetworkNamespace(netns, () =>
    checked("make socket", libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)),
  );
  try {
    const value = Buffer.alloc(8);
    const length = Buffer.from(Uint32Array.of(8).buffer);
    checked(
      "read network namespace cookie",
      libc.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, value, length),
      `${netns.inode}`,
    );
    return value.readBigUInt64LE(0);
  } finally {
    libc.close(fd);
  }
}
