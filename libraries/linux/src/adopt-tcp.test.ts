import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { acceptTcp, adoptTcp } from "./adopt-tcp.ts";
import { connectTcp } from "./connect.ts";
import { closeFd, localAddress } from "./socket-options.ts";
import { createTcpListener } from "./sockets.ts";

test("a descriptor that Node does not take for a socket is closed", () => {
  const fd = openSync("/dev/null", "r");
  assert.throws(() => adoptTcp(fd));
  assert.throws(() => closeSync(fd), { code: "EBADF" });
});

test("what waits at a listener is accepted, and carries bytes and a half-close both ways", async () => {
  const { fd } = createTcpListener({ address: { ip: "127.0.0.1", port: 0 }, backlog: 8 });
  try {
    assert.equal(acceptTcp(fd), undefined);
    const destination = localAddress(fd);
    // The first adopted socket of a process is made in another way than the others.
    const clients = await Promise.all([1, 2, 3].map(() => connectTcp({ destination })));
    for (const client of clients) {
      const accepted = acceptTcp(fd);
      assert.ok(accepted !== undefined);
      client.end("there");
      assert.deepEqual(await accepted.take(1).toArray().then(String), "there");
      accepted.destroy();
      await once(client.resume(), "close");
    }
    assert.equal(acceptTcp(fd), undefined);
  } finally {
    closeFd(fd);
  }
});

test("a number that is no descriptor is refused, by the class of handles too", async () => {
  assert.throws(() => adoptTcp(1 << 20), { code: "KERNEL" });
});
