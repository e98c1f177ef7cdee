/** A local cluster's lives: its process dies and comes back, the cluster goes down and up, and in the end nothing is left. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  apply,
  cluster,
  containerProcesses,
  daemonPid,
  holds,
  kubectl,
  pod,
  podStatus,
  skip,
  state,
  traces,
  uidOf,
  up,
} from "./local-cluster.fixture.ts";

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
});

after(async () => {
  if (skip === false) await cluster("down");
});

test("pods outlive the cluster's process, and what ended meanwhile is started again", { skip }, async () => {
  await apply(
    pod("steady", { script: "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done" }),
    pod("mortal", {}),
  );
  await kubectl("wait", "--for=condition=Ready", "pod/steady", "pod/mortal", "--timeout=20s");
  await holds(async () => assert.match(await kubectl("logs", "steady"), /tick 5/));
  const before = JSON.parse(await kubectl("get", "pods", "-o", "json"))
    .items.map(uidOf)
    .sort();
  const [processes, doomed] = [await containerProcesses("steady"), await containerProcesses("mortal")];
  process.kill(daemonPid(), "SIGKILL");
  for (const pid of doomed) process.kill(Number(pid), "SIGKILL");
  await up();
  assert.deepEqual(
    JSON.parse(await kubectl("get", "pods", "-o", "json"))
      .items.map(uidOf)
      .sort(),
    before,
  );
  assert.deepEqual(await containerProcesses("steady"), processes);
  const newest = async (): Promise<number> =>
    Number((await kubectl("logs", "steady", "--tail=1")).trim().split(" ")[1]);
  const last = await newest();
  await holds(async () => assert.ok((await newest()) >= last + 5));
  const ticks = (await kubectl("logs", "steady")).trim().split("\n");
  assert.deepEqual(
    ticks.slice(0, 20),
    Array.from({ length: 20 }, (_, index) => `tick ${index}`),
    "no line is lost",
  );
  await holds(async () => {
    const { containerStatuses = [] } = await podStatus("mortal");
    assert.equal(containerStatuses[0]?.restartCount, 1);
    assert.equal(containerStatuses[0]?.ready, true);
  });
});

test("a deleted pod gets its grace, and its place is free again", { skip }, async () => {
  const script = "trap 'echo going; exit 0' TERM; echo up; while :; do sleep 0.05; done";
  await apply(pod("leaver", { script }));
  await holds(async () => assert.match(await kubectl("logs", "leaver"), /up/));
  const follow = kubectl("logs", "-f", "leaver");
  await kubectl("delete", "pod", "leaver");
  assert.equal(await follow, "up\ngoing\n");
});

test("a cluster that was down comes up with its objects, and its pods run again", { skip }, async () => {
  const before = JSON.parse(await kubectl("get", "pod", "steady", "-o", "json"));
  assert.match(await cluster("down", "--keep-state"), /its state is kept/);
  assert.deepEqual(traces(), []);
  await up();
  await holds(async () => {
    const { containerStatuses = [] } = await podStatus("steady");
    assert.deepEqual([containerStatuses[0]?.ready, containerStatuses[0]?.restartCount], [true, 1]);
  });
  assert.equal(uidOf(JSON.parse(await kubectl("get", "pod", "steady", "-o", "json"))), uidOf(before));
});

test("down leaves nothing behind, also after kill -9", { skip }, async () => {
  assert.notEqual(traces().length, 0);
  process.kill(daemonPid(), "SIGKILL");
  assert.match(await cluster("down"), /cluster lctest is gone/);
  assert.deepEqual(traces(), []);
  assert.equal(existsSync(state), false);
  assert.match(await cluster("down"), /there is no cluster lctest/);
});
