import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import {
  beginTcpConnect,
  connectTcp,
  createTcpListener,
  createUdpSocket,
  localAddress,
} from "@meltemi/linux";
import { acceptWaiting, adoptListener, adoptUdp, closeListener } from "./adopt.ts";

const HERE = { address: { ip: "127.0.0.1", port: 0 }, backlog: 1 };
const WRONG = {
  "a file": () => openSync("/dev/null", "r"),
  "a socket of the other kind": undefined,
} as const;

for (const [name, open] of Object.entries(WRONG)) {
  test(`a listener on ${name} is an error at once, and the descriptor is closed`, async () => {
    const fd = open?.() ?? createUdpSocket(HERE).fd;
    const server = createServer();
    const told = new Promise((resolve) => server.once("error", resolve));
    assert.throws(() => adoptListener(server, fd), { code: "KERNEL" });
    assert.throws(() => closeSync(fd), { code: "EBADF" });
    await told;
    assert.equal(server.listening, false);
  });

  test(`a UDP socket on ${name} is an error at once, and the descriptor is closed`, () => {
    const fd = open?.() ?? createTcpListener(HERE).fd;
    const socket = createSocket("udp4");
    assert.throws(() => adoptUdp(socket, fd));
    assert.throws(() => closeSync(fd), { code: "EBADF" });
    assert.throws(() => socket.close(), { code: "ERR_SOCKET_DGRAM_NOT_RUNNING" });
  });
}

test("what is right is adopted", async () => {
  const server = createServer();
  adoptListener(server, createTcpListener(HERE).fd);
  assert.equal(server.listening, true);
  server.close();
  const socket = createSocket("udp4");
  adoptUdp(socket, createUdpSocket(HERE).fd);
  assert.notEqual(socket.address().port, 0);
  socket.close();
});

for (const { name, closeFirst, served } of [
  { name: "all that wait are served in the turn of the first one", closeFirst: false, served: 4 },
  { name: "a server that closes meanwhile serves no more", closeFirst: true, served: 1 },
])
  test(name, async () => {
    const { fd } = createTcpListener({ address: { ip: "127.0.0.1", port: 0 }, backlog: 8 });
    const destination = localAddress(fd);
    const clients = await Promise.all([1, 2, 3, 4].map(() => connectTcp({ destination })));
    const accepted: Socket[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      accepted.push(socket);
      if (closeFirst) server.close();
      acceptWaiting(server, fd, (more) => accepted.push(more));
      resolve();
    });
    adoptListener(server, fd);
    await promise;
    assert.equal(accepted.length, served);
    for (const socket of [...accepted, ...clients]) socket.on("error", () => undefined).destroy();
    if (!closeFirst) await once(server.close(), "close");
  });

test("a listener that closes serves those whose handshake is over", async () => {
  const { fd } = createTcpListener({ address: { ip: "127.0.0.1", port: 0 }, backlog: 128 });
  const destination = localAddress(fd);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, () => assert.fail("too late"));
  adoptListener(server, fd);
  const clients: Socket[] = [];
  // Established by the kernel alone, within one turn of the event loop: the server has no chance to accept them.
  const connecting = Array.from({ length: 100 }, () => beginTcpConnect({ destination }));
  const accepted: Socket[] = [];
  closeListener(server, fd, (socket) => accepted.push(socket));
  assert.equal(server.listening, false);
  for (const { established } of connecting) clients.push(await established);
  assert.equal(accepted.length, 100);
  for (const socket of accepted) socket.end("served");
  for (const client of clients) assert.equal(await text(client), "served");
});
