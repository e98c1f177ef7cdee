import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { test } from "node:test";
import { errnoName } from "./failure.ts";
import {
  closeFd,
  localAddress,
  originalDestination,
  peerAddress,
  setSocketOptions,
} from "./socket-options.ts";
import { createTcpListener, createUdpSocket, startTcpConnect } from "./sockets.ts";

async function adopt(fd: number): Promise<Server> {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen({ fd });
  await once(server, "listening");
  return server;
}

for (const ip of ["127.0.0.1", "::1", "::"]) {
  test(`an adopted listener on ${ip} and an adopted connecting socket exchange bytes`, async () => {
    const listener = createTcpListener({ address: { ip, port: 0 }, reusePort: true, backlog: 16 });
    const { port } = localAddress(listener.fd);
    const server = await adopt(listener.fd);
    const target = ip === "::" ? "127.0.0.1" : ip;
    const fd = startTcpConnect({
      source: { ip: target, port: 0 },
      destination: { ip: target, port },
      noDelay: true,
      keepAlive: { idleSeconds: 180, intervalSeconds: 180, probes: 9 },
      userTimeoutMs: 30_000,
    });
    const socket = new Socket({ fd });
    socket.end("through");
    assert.deepEqual(await socket.toArray().then((parts) => Buffer.concat(parts).toString()), "through");
    server.close();
    await once(server, "close");
  });
}

test("addresses of both ends are read, and an ordinary connection has no original destination", async () => {
  const listener = createTcpListener({ address: { ip: "127.0.0.1", port: 0 }, backlog: 1 });
  const listening = localAddress(listener.fd);
  const server = createServer();
  server.listen({ fd: listener.fd });
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const fd = startTcpConnect({ destination: listening });
  const client = new Socket({ fd });
  const [peer] = await accepted;
  assert.deepEqual(peerAddress(fd), listening);
  assert.deepEqual(localAddress(fd), { ip: "127.0.0.1", port: peer.remotePort });
  assert.equal(originalDestination(fd), undefined);
  client.destroy();
  peer.destroy();
  server.close();
});

test("a refused connection is an error at once or on the adopted socket, never silence", async () => {
  const unused = createTcpListener({ address: { ip: "127.0.0.1", port: 0 }, backlog: 1 });
  const destination = localAddress(unused.fd);
  closeFd(unused.fd);
  await assert.rejects(
    async () => {
      const socket = new Socket({ fd: startTcpConnect({ destination }) });
      socket.resume();
      socket.write("x");
      await once(socket, "close");
    },
    (error) =>
      errnoName(error) === "ECONNREFUSED" || (error as NodeJS.ErrnoException).code === "ECONNREFUSED",
  );
});

test("refusals name the errno and leak no descriptor", () => {
  const first = createUdpSocket({ address: { ip: "127.0.0.1", port: 0 } });
  const address = localAddress(first.fd);
  assert.throws(
    () => createUdpSocket({ address }),
    (error) => errnoName(error) === "EADDRINUSE",
  );
  closeFd(first.fd);
  assert.throws(
    () => createTcpListener({ address: { ip: "203.0.113.1", port: 0 }, backlog: 1 }),
    (error) => errnoName(error) === "EADDRNOTAVAIL",
  );
  assert.throws(() => setSocketOptions(-1, { mark: 1 }), /SO_MARK.*EBADF/);
  assert.throws(
    () => startTcpConnect({ source: { ip: "::1", port: 0 }, destination: { ip: "127.0.0.1", port: 9 } }),
    { code: "INPUT_INVALID" },
  );
});
