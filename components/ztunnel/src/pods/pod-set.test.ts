import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { type AnnouncedPod, type PodNamespace, PodSet } from "./pod-set.ts";

const RETRY_MS = 5000;
const FOREVER_MS = 1_000_000;
const FAILURE = new Error("an error of ours");

function setUp() {
  const clock = createFakeClock();
  const events: string[] = [];
  const failing = new Set<string>();
  /** Ends of the drains that were begun, by uid. */
  const drains = new Map<string, () => void>();
  const errors: unknown[] = [];
  const broken = new Set<"onChange" | "drain">();
  const logger = createLogger(
    { filter: new LogFilter("off"), format: "plain", nowMs: clock.nowMs, write: () => undefined },
    "inpod",
  );
  const pods = new PodSet<PodNamespace>(
    { retryMs: RETRY_MS, departedDeadlineMs: FOREVER_MS },
    {
      clock,
      logger,
      start: async (pod, namespace) => {
        if (failing.has(pod.uid)) throw new Error("no listener");
        events.push(`start ${pod.uid}@${namespace.inode}`);
        const drained = Promise.withResolvers<void>();
        return {
          drain: (deadlineMs) => {
            if (broken.has("drain")) throw FAILURE;
            events.push(`drain ${pod.uid}@${namespace.inode} ${deadlineMs}`);
            drains.set(pod.uid, drained.resolve);
            return drained.promise;
          },
        };
      },
      onChange: () => {
        if (broken.has("onChange")) throw FAILURE;
      },
      onInternalError: (error) => void errors.push(error),
    },
  );
  const namespace = (inode: number): PodNamespace => ({
    inode: BigInt(inode),
    device: 1n,
    close: () => events.push(`close ${inode}`),
  });
  const pod = (uid: string): AnnouncedPod => ({
    uid,
    name: { name: uid, namespace: "ns", serviceAccount: "sa" },
  });
  const add = (uid: string, inode: number): Promise<string | undefined> =>
    pods.handle({ kind: "add", pod: pod(uid), namespace: namespace(inode) });
  const keep = (uid: string): Promise<string | undefined> => pods.handle({ kind: "keep", uid });
  const del = (uid: string): Promise<string | undefined> => pods.handle({ kind: "del", uid });
  const snapshot = (): Promise<string | undefined> => pods.handle({ kind: "snapshotSent" });
  return { clock, events, failing, broken, errors, drains, pods, add, keep, del, snapshot };
}

test("add starts a proxy; adding again is nothing", async () => {
  const { add, events, pods, snapshot } = setUp();
  assert.equal(await add("a", 1), undefined);
  assert.equal(await add("a", 1), undefined);
  assert.deepEqual(events, ["start a@1", "close 1"]);
  assert.equal(pods.ready, false);
  await snapshot();
  assert.equal(pods.ready, true);
});

test("another namespace replaces the proxy, and the old connections go on", async () => {
  const { add, events, drains } = setUp();
  await add("a", 1);
  await add("a", 2);
  assert.deepEqual(events, ["start a@1", `drain a@1 ${FOREVER_MS}`, "start a@2"]);
  drains.get("a")?.();
  await new Promise(setImmediate);
  assert.equal(events.at(-1), "close 1");
});

test("a proxy that fails to start is nacked, not ready, and tried again", async () => {
  const { add, clock, events, failing, pods, snapshot } = setUp();
  failing.add("a");
  assert.equal(await add("a", 1), "failure to start proxy : no listener");
  await snapshot();
  assert.deepEqual([pods.ready, pods.states()[0]?.state], [false, "Pending"]);
  await clock.settle(RETRY_MS);
  assert.equal(pods.ready, false);
  failing.clear();
  await clock.settle(RETRY_MS);
  assert.deepEqual([pods.ready, events], [true, ["start a@1"]]);
});

test("an add while it waits tries at once", async () => {
  const { add, events, failing } = setUp();
  failing.add("a");
  await add("a", 1);
  failing.clear();
  assert.equal(await add("a", 1), undefined);
  assert.deepEqual(events, ["close 1", "start a@1"]);
});

test("a pod that waits and is deleted is not tried again", async () => {
  const { add, clock, del, events, failing, pods, snapshot } = setUp();
  failing.add("a");
  await add("a", 1);
  await del("a");
  failing.clear();
  await clock.settle(RETRY_MS);
  await snapshot();
  assert.deepEqual([events, pods.ready], [["close 1"], true]);
});

test("del lets open connections finish", async () => {
  const { add, del, events, drains } = setUp();
  await add("a", 1);
  assert.equal(await del("a"), undefined);
  assert.deepEqual(events, ["start a@1", `drain a@1 ${FOREVER_MS}`]);
  drains.get("a")?.();
  await new Promise(setImmediate);
  assert.equal(events.at(-1), "close 1");
});

test("del of an unknown pod is no fault", async () => {
  const { del } = setUp();
  assert.equal(await del("nobody"), undefined);
});

test("del before the snapshot ends is remembered", async () => {
  const { add, del, pods, snapshot } = setUp();
  await add("a", 1);
  await del("a");
  await snapshot();
  assert.deepEqual([pods.states(), pods.ready], [[], true]);
});

test("add, del, add ends with a proxy", async () => {
  const { add, del, pods } = setUp();
  await Promise.all([add("a", 1), del("a"), add("a", 2)]);
  assert.deepEqual(
    pods.states().map(({ state }) => state),
    ["Up"],
  );
});

test("a new snapshot drops what it does not name and keeps the rest untouched", async () => {
  const { add, events, keep, pods, snapshot } = setUp();
  for (const [index, uid] of ["a", "b", "c"].entries()) await add(uid, index);
  await snapshot();
  pods.disconnected();
  assert.equal(pods.ready, false);
  await pods.reset();
  await add("a", 0);
  await keep("b");
  assert.equal(await keep("stranger"), undefined);
  await snapshot();
  assert.equal(pods.ready, true);
  assert.deepEqual(
    pods.states().map(({ pod }) => pod.uid),
    ["a", "b"],
  );
  assert.deepEqual(events.slice(3), ["close 0", `drain c@2 ${FOREVER_MS}`]);
});

test("a new connection forgets the pods that waited", async () => {
  const { add, clock, events, failing, pods, snapshot } = setUp();
  failing.add("a");
  await add("a", 1);
  await pods.reset();
  failing.clear();
  await clock.settle(RETRY_MS);
  await snapshot();
  assert.deepEqual([events, pods.states()], [["close 1"], []]);
});

test("messages out of order are refused", async () => {
  const { keep, snapshot } = setUp();
  await snapshot();
  assert.match((await keep("a")) ?? "", /keep after/);
  assert.match((await snapshot()) ?? "", /second snapshot/);
});

test("closing drains all with its deadline and takes no more", async () => {
  const { add, drains, events, pods } = setUp();
  await add("a", 1);
  const closed = pods.close(100);
  await new Promise(setImmediate);
  drains.get("a")?.();
  await closed;
  assert.deepEqual(events, ["start a@1", "drain a@1 100", "close 1"]);
  assert.equal(await add("b", 2), "shutting down");
});

test("closing hurries those that had left before", async () => {
  const { add, del, drains, events, pods } = setUp();
  await add("a", 1);
  await del("a");
  const closed = pods.close(100);
  await new Promise(setImmediate);
  assert.deepEqual(events.slice(1), [`drain a@1 ${FOREVER_MS}`, "drain a@1 100"]);
  drains.get("a")?.();
  await closed;
});

test("an error of ours in a second try is told, and the next message is heard", async () => {
  const { add, broken, clock, errors, failing, snapshot } = setUp();
  failing.add("a");
  await add("a", 1);
  broken.add("onChange");
  await clock.settle(RETRY_MS);
  assert.deepEqual(errors, [FAILURE]);
  broken.clear();
  assert.equal(await snapshot(), undefined);
});

test("a proxy that cannot be drained is told of, and its pod's namespace is closed", async () => {
  const { add, broken, del, errors, events } = setUp();
  await add("a", 1);
  broken.add("drain");
  assert.equal(await del("a"), undefined);
  await new Promise(setImmediate);
  assert.deepEqual([errors, events.at(-1)], [[FAILURE], "close 1"]);
});

test("closing ends although a proxy that left before cannot be hurried", async () => {
  const { add, broken, del, drains, errors, pods } = setUp();
  await add("a", 1);
  await del("a");
  broken.add("drain");
  const closed = pods.close(100);
  await new Promise(setImmediate);
  drains.get("a")?.();
  await closed;
  assert.deepEqual(errors, [FAILURE]);
});
