/** Connected or connecting TCP sockets made by system calls, given to Node. */

import { Socket, type SocketConstructorOpts } from "node:net";
import { closingOnFailure, kernelError } from "./failure.ts";
import { libc } from "./libc.ts";
import { NONBLOCK_CLOEXEC } from "./sockets.ts";

interface TcpHandle {
  /** 0, or a negative errno. */
  open(fd: number): number;
  close(): void;
}

type TcpHandleClass = new (kind: number) => TcpHandle;

/** `TCPConstants.SOCKET`: neither a server nor to be counted as one. */
const KIND_SOCKET = 0;

/**
 * Node's class of TCP handles, which it exports nowhere; known once Node has made one. Asked for a socket of a descriptor, Node first
 * finds out by four system calls what kind of thing that is.
 */
let handleClass: TcpHandleClass | undefined;

/** Takes ownership of `fd`, a TCP socket, also when Node refuses it. Nothing is read before somebody asks for it. */
export function adoptTcp(fd: number): Socket {
  return closingOnFailure(fd, () => {
    if (handleClass !== undefined) return socketOf({ handle: openHandle(handleClass, fd) });
    const socket = socketOf({ fd });
    const { _handle } = socket as unknown as { readonly _handle?: { readonly constructor?: unknown } };
    if (typeof _handle?.constructor === "function") handleClass = _handle.constructor as TcpHandleClass;
    return socket;
  });
}

/** With what Node's types do not tell of. */
function socketOf(of: { readonly fd: number } | { readonly handle: TcpHandle }): Socket {
  const options = { ...of, allowHalfOpen: true, manualStart: true };
  return new Socket(options as unknown as SocketConstructorOpts);
}

function openHandle(Handle: TcpHandleClass, fd: number): TcpHandle {
  const handle = new Handle(KIND_SOCKET);
  const result = handle.open(fd);
  if (result !== 0) {
    handle.close();
    throw kernelError("adopt", -result, `descriptor ${fd}`);
  }
  return handle;
}

/**
 * A connection that waits at a non-blocking listener, half-open-capable and not read from; undefined when none waits, or when the
 * kernel gives none: Node's own accept will meet the same refusal.
 */
export function acceptTcp(listenerFd: number): Socket | undefined {
  const fd = libc.accept4(listenerFd, null, null, NONBLOCK_CLOEXEC);
  return fd < 0 ? undefined : adoptTcp(fd);
}
