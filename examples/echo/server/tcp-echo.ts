/** Bytes without a protocol: says who answers, then every byte back. */

import type { Socket } from "node:net";
import type { Server } from "./report.ts";

export function echoBytes({ identity }: Server, socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.once("data", (first) => {
    socket.write(`${identity.pod} ${identity.version} ${socket.remoteAddress}\n`);
    socket.write(first);
    socket.pipe(socket);
  });
}
