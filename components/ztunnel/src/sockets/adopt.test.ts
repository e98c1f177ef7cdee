import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { createTcpListener, createUdpSocket } from "@meltemi/linux";
import { adoptListener, adoptUdp } from "./adopt.ts";

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
