import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import type { ZdsServer } from "@meltemi/zds";
import { createZtunnels } from "./ztunnels.ts";

function fakeServer() {
  let count = 0;
  let told: (count: number) => void = () => undefined;
  const server: ZdsServer = {
    async add(uid) {
      if (count === 0) throw new MeshError("UNAVAILABLE", `add pod ${uid}: no ztunnel is connected`);
      return { kind: "ack" };
    },
    del: async () => undefined,
    connections: () => count,
    close: () => undefined,
  };
  return {
    open: (onConnections: (count: number) => void): ZdsServer => {
      told = onConnections;
      return server;
    },
    connect: () => {
      count = 1;
      told(1);
    },
  };
}

test("a pod waits for a ztunnel that is on its way, and no longer than that", async () => {
  const clock = createFakeClock();
  const counts: number[] = [];
  const ztunnels = createZtunnels({ clock, onConnections: (count) => counts.push(count) });
  const fake = fakeServer();
  ztunnels.listen(fake.open);
  const late = ztunnels.add("u1");
  const refused = assert.rejects(late, { code: "UNAVAILABLE" });
  await clock.settle(2_000);
  await refused;
  const inTime = ztunnels.add("u1");
  fake.connect();
  assert.deepEqual([await inTime, counts, clock.pending], [{ kind: "ack" }, [1], 0]);
  assert.deepEqual(await ztunnels.add("u2"), { kind: "ack" });
});

test("while the agent is starting nothing can be added, and what is removed needs no telling", async () => {
  const clock = createFakeClock();
  const ztunnels = createZtunnels({ clock, onConnections: () => undefined });
  const refused = assert.rejects(ztunnels.add("u1"), /the agent is starting/);
  await clock.settle(2_000);
  await refused;
  await ztunnels.del("u1");
  ztunnels.close();
});
