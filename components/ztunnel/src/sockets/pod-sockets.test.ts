import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { closeFd, localAddress } from "@meltemi/linux";
import { ip } from "@meltemi/model";
import { createFakeClock } from "@meltemi/testkit";
import { createPodSockets } from "./pod-sockets.ts";

const HERE = { ip: ip("127.0.0.1"), port: 0 };

test("a listener that cannot have its options is closed", () => {
  // The kernel takes at most 127 probes.
  const keepAlive = { idleSeconds: 1, intervalSeconds: 1, probes: 1000 };
  const sockets = createPodSockets({ portReuse: false, keepAlive }, { clock: createFakeClock() });
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  assert.throws(() => sockets.listenTcp(HERE, false), /EINVAL/);
  assert.equal(open(), before);
});

test("a dial ends when the given clock says so", async () => {
  const clock = createFakeClock();
  const sockets = createPodSockets({ portReuse: false }, { clock });
  const { fd } = sockets.listenTcp(HERE, false);
  const { port } = localAddress(fd);
  const dialled = sockets.dial({ ...HERE, port }, { timeoutMs: 50 });
  clock.advance(50);
  await assert.rejects(dialled, { code: "TIMEOUT" });
  assert.equal(clock.pending, 0);
  closeFd(fd);
});
