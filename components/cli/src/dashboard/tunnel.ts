/** A local address behind which a pod's port is: one tunnel for each connection. */

import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { MeshError } from "@meltemi/runtime";

export interface LocalTunnel extends AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
}

/** A browser opens six connections to a host; a few people may look at once. */
const MAX_CONNECTIONS = 64;

/** `onError` is told why a connection came to nothing; others go on. Rejects with UNAVAILABLE when the port is taken. */
export async function openTunnel(
  address: string,
  port: number,
  open: () => Promise<Duplex>,
  onError: (error: unknown) => void,
): Promise<LocalTunnel> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    join(socket, open).catch((error: unknown) => {
      socket.destroy();
      onError(error);
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, address, port);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function join(socket: Socket, open: () => Promise<Duplex>): Promise<void> {
  // Whoever goes before the tunnel is there must not be an unhandled error.
  socket.on("error", () => socket.destroy());
  const stream = await open();
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () => {
      socket.end();
      resolve();
    });
    socket.once("close", () => stream.destroy());
    socket.pipe(stream);
    stream.pipe(socket);
  });
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new MeshError("UNAVAILABLE", `listen on ${address}:${port}: it cannot be bound`, { cause })),
    );
    server.listen(port, address, resolve);
  });
}
