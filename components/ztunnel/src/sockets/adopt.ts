/** Sockets made by hand, given to Node. Whatever Node refuses is closed and thrown: nobody must count as served by it. */

import type { Socket as UdpSocket } from "node:dgram";
import { fstatSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { acceptTcp, closeFd } from "@meltemi/linux";
import { MeshError } from "@meltemi/runtime";

/** Takes ownership of `fd`. Throws KERNEL when the server does not listen on it. */
export function adoptListener(server: Server, fd: number): void {
  const { ino } = fstatSync(fd);
  server.listen({ fd });
  // Node tells a failure later, by an event; but it has tried by now.
  if (server.listening) return;
  closeIfStill(fd, ino);
  throw new MeshError("KERNEL", `listen on descriptor ${fd}: Node does not take it for a listening socket`);
}

/** Beside what a listener has waiting, everything else of the event loop has its turn, too. */
const MAX_ACCEPTED_AT_ONCE = 64;

/**
 * Accepts what else waits at `server`'s descriptor. libuv accepts one connection a turn of the event loop; with sixteen callers at a
 * time their CONNECTs then left in a TLS record and a write each, and all turns, records and writes together were a fifth of the
 * CPU time of a connection, at both ends of the tunnel. Throws KERNEL when Node does not take one; that one is closed.
 */
export function acceptWaiting(
  server: Server,
  fd: number,
  serve: (socket: Socket) => void,
  most: number = MAX_ACCEPTED_AT_ONCE,
): void {
  // A server that was closed meanwhile has closed the descriptor: the number may be somebody else's.
  for (let count = 0; count < most && server.listening; count++) {
    const socket = acceptTcp(fd);
    if (socket === undefined) return;
    serve(socket);
  }
}

/** Many times what may wait; clients without end must not keep a listener open. */
const MAX_ACCEPTED_AT_LAST = 1024;

/**
 * Closes a listener, and serves those that wait at it: their handshake is over, and the kernel would reset them. A process that is starved of
 * CPU has many. Throws as {@link acceptWaiting}; the listener is closed all the same.
 */
export function closeListener(server: Server, fd: number, serve: (socket: Socket) => void): void {
  try {
    acceptWaiting(server, fd, serve, MAX_ACCEPTED_AT_LAST);
  } finally {
    server.close();
  }
}

/** Takes ownership of `fd`, and of `socket` when it throws. */
export function adoptUdp(socket: UdpSocket, fd: number): void {
  const { ino } = fstatSync(fd);
  try {
    socket.bind({ fd });
  } catch (error) {
    socket.close();
    closeIfStill(fd, ino);
    throw error;
  }
}

/** Node may have closed it, depending on how far it came; the number may be somebody else's by then. */
function closeIfStill(fd: number, ino: number): void {
  try {
    if (fstatSync(fd).ino !== ino) return;
  } catch {
    // EBADF: closed.
    return;
  }
  closeFd(fd);
}
