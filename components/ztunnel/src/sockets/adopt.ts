/** Sockets made by hand, given to Node. Whatever Node refuses is closed and thrown: nobody must count as served by it. */

import type { Socket as UdpSocket } from "node:dgram";
import { fstatSync } from "node:fs";
import type { Server } from "node:net";
import { closeFd } from "@meltemi/linux";
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
