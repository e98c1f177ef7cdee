import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, eventually, type FakeClock } from "@meltemi/testkit";
import type { KubernetesClient, ObjectList, WatchEvent } from "./client-types.ts";
import { createInformer, type Informer, type InformerOptions } from "./informer.ts";
import { PODS, type Pod } from "./kinds.ts";
import { nameOf } from "./resource-type.ts";
import { statusError } from "./status-error.ts";

const silentLog = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
  "test",
);
const failure = (code: number): Error => statusError("test", { code, reason: "", message: "" });

function pod(name: string, resourceVersion: string, uid = name, node = "n1"): Pod {
  return {
    metadata: { namespace: "a", name, uid, resourceVersion },
    spec: { nodeName: node, containers: [] },
  };
}

/** Answers of the server in the order of the calls; a watch without an answer stays open and silent. */
interface Script {
  lists: (ObjectList<Pod> | Error)[];
  watches: ((WatchEvent<Pod> | Error)[] | "silent")[];
  readonly calls: string[];
}

function scriptedClient(script: Script): Pick<KubernetesClient, "list" | "watch"> {
  return {
    list: () => {
      script.calls.push("list");
      const next = script.lists.shift() ?? failure(503);
      return next instanceof Error ? Promise.reject(next) : (Promise.resolve(next) as never);
    },
    async *watch(_type, options) {
      script.calls.push(`watch ${options.resourceVersion}`);
      const events = script.watches.shift() ?? "silent";
      for (const event of events === "silent" ? [] : events) {
        if (event instanceof Error) throw event;
        yield event as never;
      }
      if (events === "silent")
        await new Promise((_, reject) =>
          options.signal?.addEventListener("abort", () => reject(new Error("aborted"))),
        );
    },
  };
}

interface Run {
  readonly informer: Informer<Pod>;
  readonly clock: FakeClock;
  readonly told: string[];
}

function start(script: Script, options: InformerOptions<Pod> = {}): Run {
  const clock = createFakeClock();
  const told: string[] = [];
  const informer = createInformer(scriptedClient(script), PODS, options, {
    clock,
    random: () => 0.5,
    log: silentLog,
  });
  informer.onChange({
    add: (object) => told.push(`+${nameOf(object)}@${object.metadata?.resourceVersion}`),
    update: (previous, object) =>
      told.push(
        `${nameOf(object)} ${previous.metadata?.resourceVersion}→${object.metadata?.resourceVersion}`,
      ),
    delete: (object) => told.push(`-${nameOf(object)}@${object.metadata?.resourceVersion}`),
  });
  return { informer, clock, told };
}

test("lists, then follows the watch", async () => {
  const calls: string[] = [];
  const { informer, told } = start({
    calls,
    lists: [{ items: [pod("p", "1")], resourceVersion: "2" }],
    watches: [
      [
        { kind: "added", object: pod("q", "3") },
        { kind: "modified", object: pod("p", "4") },
        { kind: "bookmark", resourceVersion: "7" },
        { kind: "deleted", object: pod("q", "8") },
      ],
    ],
  });
  await informer.synced;
  await eventually(() => calls.length === 3);
  assert.deepEqual(told, ["+p@1", "+q@3", "p 1→4", "-q@8"]);
  assert.deepEqual(calls, ["list", "watch 2", "watch 8"]);
  assert.equal(informer.get("a/p")?.metadata?.resourceVersion, "4");
  assert.ok(Object.isFrozen(informer.get("a/p")?.metadata));
  informer.stop();
});

test("410 lists again and tells what was missed, a same name with another uid as two changes", async () => {
  const calls: string[] = [];
  const { informer, told } = start({
    calls,
    lists: [
      { items: [pod("p", "1"), pod("q", "1"), pod("r", "1")], resourceVersion: "2" },
      { items: [pod("q", "9"), pod("r", "8", "another")], resourceVersion: "9" },
    ],
    watches: [[{ kind: "bookmark", resourceVersion: "3" }, failure(410)]],
  });
  await eventually(() => calls.length === 4);
  assert.deepEqual(told.slice(3), ["-p@1", "-r@1", "q 1→9", "+r@8"]);
  assert.deepEqual(calls, ["list", "watch 2", "list", "watch 9"]);
  informer.stop();
});

test("a server that is down is asked again and again, with growing waits", async () => {
  const calls: string[] = [];
  const script: Script = { calls, lists: [], watches: [] };
  const { informer, clock } = start(script);
  for (let tries = 1; tries < 12; tries++) {
    await eventually(() => calls.length === tries && clock.pending === 1);
    clock.advance(30_000);
  }
  script.lists.push({ items: [], resourceVersion: "1" });
  await eventually(() => clock.pending === 1);
  clock.advance(30_000);
  await informer.synced;
  assert.ok(informer.hasSynced);
  informer.stop();
});

test("a silent watch is made again from the last version", async () => {
  const calls: string[] = [];
  const { informer, clock } = start({
    calls,
    lists: [{ items: [], resourceVersion: "2" }],
    watches: ["silent"],
  });
  await eventually(() => calls.length === 2);
  clock.advance(120_000);
  clock.advance(1_000);
  await eventually(() => calls.length === 3);
  assert.equal(calls[2], "watch 2");
  informer.stop();
});

test("a kind that is not served counts as empty when the caller says so, and comes later", async () => {
  const calls: string[] = [];
  const script: Script = { calls, lists: [failure(404)], watches: [] };
  const { informer, clock, told } = start(script, { whenNotServed: "empty" });
  await informer.synced;
  assert.deepEqual(informer.list(), []);
  script.lists.push({ items: [pod("p", "1")], resourceVersion: "1" });
  clock.advance(30_000);
  await eventually(() => told.length === 1);
  informer.stop();
});

test("stop ends the watch and every timer, and nothing is told afterwards", async () => {
  const calls: string[] = [];
  const { informer, clock } = start({
    calls,
    lists: [{ items: [], resourceVersion: "2" }],
    watches: ["silent"],
  });
  await eventually(() => calls.length === 2);
  informer.stop();
  await eventually(() => clock.pending === 0);
  clock.advance(10 * 60_000);
  assert.equal(calls.length, 2);
});

test("indexes follow changes, handlers that come late are told of what is there, a throwing one hurts nobody", async () => {
  const calls: string[] = [];
  const { informer, told } = start(
    {
      calls,
      lists: [{ items: [pod("p", "1"), pod("q", "1")], resourceVersion: "2" }],
      watches: [[{ kind: "modified", object: pod("p", "3", "p", "n2") }], "silent"],
    },
    { indexes: { node: (object) => [object.spec?.nodeName ?? ""] } },
  );
  informer.onChange({
    add: () => {
      throw new Error("a bug in a handler");
    },
  });
  await eventually(() => told.length === 3);
  assert.deepEqual(informer.byIndex("node", "n1").map(nameOf), ["q"]);
  assert.deepEqual(informer.byIndex("node", "n2").map(nameOf), ["p"]);
  assert.deepEqual(informer.byIndex("node", "n3"), []);
  assert.throws(() => informer.byIndex("zone", "z"), RangeError);
  const late: string[] = [];
  const remove = informer.onChange({ add: (object) => late.push(nameOf(object)) });
  assert.deepEqual(late, ["p", "q"]);
  remove();
  informer.stop();
});

test("a list that is forbidden is told once, and again when it no longer is", async () => {
  const calls: string[] = [];
  const told: boolean[] = [];
  const lists = [failure(403), failure(403), failure(503)];
  const { clock } = start(
    { lists, watches: [], calls },
    { onForbidden: (isForbidden: boolean) => void told.push(isForbidden) },
  );
  for (let step = 0; step < 12; step++) {
    clock.advance(10_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(told, [true, false]);
});

const PAUSES = [
  { name: "forbidden, with a longer pause", code: 403, options: { forbiddenMaxMs: 300_000 }, most: 4 },
  { name: "forbidden, without", code: 403, options: {}, most: 12 },
  { name: "another failure", code: 503, options: { forbiddenMaxMs: 300_000 }, most: 12 },
];
for (const { name, code, options, most } of PAUSES)
  test(`a list that fails for long is tried again and again: ${name}`, async () => {
    const calls: string[] = [];
    const lists = Array.from({ length: 60 }, () => failure(code));
    const { informer, clock } = start({ lists, watches: [], calls }, options);
    const pass = async (steps: number): Promise<number> => {
      const before = calls.length;
      for (let step = 0; step < steps; step++) {
        clock.advance(10_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return calls.length - before;
    };
    await pass(60);
    const tries = await pass(30);
    assert.ok(tries >= 1 && tries <= most && (most < 12 || tries > 4), `${tries} tries in 5 minutes`);
    informer.stop();
  });
