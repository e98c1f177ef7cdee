/** The application behind every path of the l4 benchmark. Says `ready` when it listens. */

import { createServer, type Socket } from "node:net";
import { APPLICATION_PORTS, type ApplicationPort, MESSAGE_BYTES } from "./messages.ts";
import { matchesPattern } from "./pattern.ts";

const SERVE: Readonly<Record<ApplicationPort, (socket: Socket) => void>> = {
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
  once: (socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      socket.write(chunk);
      if (bytes === MESSAGE_BYTES.small) socket.end();
    });
  },
};

let listening = 0;
for (const [name, port] of Object.entries(APPLICATION_PORTS)) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    SERVE[name as ApplicationPort](socket);
  });
  server.listen({ port, host: "::", backlog: 4096 }, () => {
    if (++listening === Object.keys(APPLICATION_PORTS).length) process.send?.({ kind: "ready" });
  });
}
process.on("disconnect", () => process.exit(0));
