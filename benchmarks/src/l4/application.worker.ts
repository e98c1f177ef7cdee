/** The application behind every path of the l4 benchmark. Says `ready` when it listens. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { APPLICATION_PORTS, type ApplicationPort } from "./messages.ts";
import { matchesPattern } from "./pattern.ts";

/** `once` has a process of its own, see once.worker.ts. */
type ServedHere = Exclude<ApplicationPort, "once">;

const SERVE: Readonly<Record<ServedHere, (socket: Socket) => void>> = {
  echo: (socket) => {
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end());
  },
  sink: (socket) => {
    let bytes = 0;
    let right = true;
    socket.on("data", (chunk) => {
      right &&= matchesPattern(chunk, bytes);
      bytes += chunk.length;
    });
    socket.on("end", () => socket.end(JSON.stringify({ bytes, right })));
  },
};

const servers = Object.entries(SERVE).map(([name, serve]) => {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    serve(socket);
  });
  return server.listen({ port: APPLICATION_PORTS[name as ServedHere], host: "::", backlog: 4096 });
});
await Promise.all(servers.map((server) => once(server, "listening")));
process.send?.({ kind: "ready" });
process.on("disconnect", () => process.exit(0));
