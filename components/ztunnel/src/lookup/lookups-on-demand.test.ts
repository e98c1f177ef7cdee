import assert from "node:assert/strict";
import { test } from "node:test";
import { type AddressChange, ip, newWorkload } from "@meltemi/model";
import { createMeshStore } from "@meltemi/proxy-process";
import { MeshError } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import type { Lookup } from "./lookups.ts";
import {
  ABSENT_FOR_MS,
  createOnDemandLookups,
  DESCRIBE_TIMEOUT_MS,
  IDLE_MS,
  LOOKUP_TIMEOUT_MS,
  MAX_NAMES_PER_ASKER,
  MIN_TIDY_INTERVAL_MS,
} from "./lookups-on-demand.ts";

/** A control plane that answers what the test says, when it says so; `instant` answers all at once, with nothing. */
class ScriptedClient {
  connected = true;
  instant = false;
  readonly asked: string[] = [];
  readonly renewed: string[] = [];
  readonly forgotten: (readonly string[])[] = [];
  readonly #answered = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  fetch(name: string, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (!this.#waiting.has(name) && !this.#answered.has(name)) this.asked.push(name);
    if (this.instant || this.#answered.has(name)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }
  renew(name: string): void {
    this.renewed.push(name);
    this.#answered.delete(name);
  }
  forget(names: readonly string[], resourceNames: readonly string[]): void {
    for (const name of names) this.#answered.delete(name);
    this.forgotten.push(names, resourceNames);
  }
  answer(...names: string[]): void {
    for (const name of names) {
      this.#answered.add(name);
      for (const resolve of this.#waiting.get(name) ?? []) resolve();
      this.#waiting.delete(name);
    }
  }
}

function scene() {
  const clock = createFakeClock();
  const mesh = createMeshStore({ clock });
  const client = new ScriptedClient();
  const counts: number[] = [];
  const lookups = createOnDemandLookups({
    mesh,
    clock,
    node: "mine",
    drop: (changes) => mesh.applyAddresses(changes),
    staticNames: new Set(["static"]),
    onNameCount: (count) => counts.push(count),
  });
  lookups.useControlPlane(client);
  const put = (...changes: AddressChange[]): void => mesh.applyAddresses(changes);
  return { clock, mesh, client, lookups, counts, put };
}

/** Reads the names in order, each only when the one before was found. */
const reads = (asker: string, ...addresses: string[]): Lookup => ({
  asker,
  decide: (snapshot) => addresses.every((name) => snapshot.workloadsByAddress.get(name) !== undefined),
});

const pod = (uid: string, address: string, node = ""): AddressChange => ({
  kind: "workload",
  workload: newWorkload({ uid, name: uid, namespace: "ns", addresses: [ip(address)], node }),
});

test("asked once for all that wait; then known without a wait", async () => {
  const { client, lookups, put, mesh } = scene();
  const both = Promise.all([
    lookups.complete(reads("a", "/10.0.0.1")),
    lookups.complete(reads("b", "/10.0.0.1")),
  ]);
  assert.deepEqual(client.asked, ["/10.0.0.1"]);
  put(pod("one", "10.0.0.1"));
  client.answer("/10.0.0.1");
  const known = { kind: "known", snapshot: mesh.current } as const;
  assert.deepEqual(await both, [known, known]);
  assert.deepEqual(lookups.complete(reads("a", "/10.0.0.1")), known, "no promise");
});

test("what a decision comes to look at later is asked for too", async () => {
  const { client, lookups, put } = scene();
  const looked = lookups.complete(reads("a", "/10.0.0.1", "/10.0.0.2"));
  put(pod("one", "10.0.0.1"));
  client.answer("/10.0.0.1");
  await new Promise(setImmediate);
  assert.deepEqual(client.asked, ["/10.0.0.1", "/10.0.0.2"]);
  client.answer("/10.0.0.2");
  assert.equal((await looked).kind, "known");
});

test("without an answer nothing is known, and the next one has to wait as well", async () => {
  const { client, clock, lookups } = scene();
  const looked = lookups.complete(reads("a", "/10.0.0.1"));
  await clock.settle(LOOKUP_TIMEOUT_MS);
  const message = "look up destination: the control plane did not answer within 5000 ms";
  assert.deepEqual(await looked, { kind: "unknown", message });
  const again = lookups.complete(reads("a", "/10.0.0.1"));
  client.answer("/10.0.0.1");
  assert.equal((await again).kind, "known", "nobody has it, and that is said");
});

test("who gives up is told at once", async () => {
  const { lookups } = scene();
  const gone = new AbortController();
  const looked = lookups.complete(reads("a", "/10.0.0.1"), gone.signal);
  gone.abort(new Error("client left"));
  assert.deepEqual(await looked, { kind: "unknown", message: "look up destination: client left" });
  assert.equal((await lookups.complete(reads("a", "/10.0.0.2"), gone.signal)).kind, "unknown");
});

test("a mesh that leads in circles ends", async () => {
  const { client, lookups } = scene();
  client.instant = true;
  let next = 0;
  const looked = lookups.complete({
    asker: "a",
    decide: (snapshot) => snapshot.workloadsByAddress.get(`/10.0.0.${next++}`),
  });
  assert.match(JSON.stringify(await looked), /more than 8 steps/);
});

test("an error of the decision is not taken for an answer", async () => {
  const { client, lookups } = scene();
  client.instant = true;
  const broken = { asker: "a", decide: () => assert.fail("broken") };
  assert.throws(() => lookups.complete(broken), /broken/);
});

test("an absence is asked for again when it is old, unless nobody could answer", async () => {
  const { client, clock, lookups, put } = scene();
  const look = () => lookups.complete(reads("a", "/10.0.0.1"));
  client.answer("/10.0.0.1");
  assert.equal((await look()).kind, "known");
  clock.advance(ABSENT_FOR_MS - 1);
  assert.ok(!(look() instanceof Promise));
  clock.advance(1);
  client.connected = false;
  assert.ok(!(look() instanceof Promise), "the last word of the control plane holds");
  client.connected = true;
  const again = look();
  assert.deepEqual(client.renewed, ["/10.0.0.1"]);
  put(pod("one", "10.0.0.1"));
  client.answer("/10.0.0.1");
  assert.equal((await again).kind, "known");
  clock.advance(10 * ABSENT_FOR_MS);
  assert.ok(!(look() instanceof Promise), "what is there is followed, not asked for");
  put({ kind: "remove", name: "one" });
  assert.ok(look() instanceof Promise, "its absence is as old as the first answer");
});

test("names that no control plane takes are nobody's, and are not sent to it", () => {
  const { client, lookups } = scene();
  const names = ["*", "no-slash", `/${"1".repeat(1024)}`, "\0node/mine", "ns/a b", "ns/ü"];
  for (const name of names) assert.ok(!(lookups.complete(reads("a", name)) instanceof Promise), name);
  assert.deepEqual(client.asked, []);
});

test("one pod's names are bounded: it leaves its own, at most every ten seconds, and others go on", async () => {
  const { client, clock, lookups, counts } = scene();
  client.instant = true;
  const look = async (asker: string, index: number): Promise<string> => {
    const looked = await lookups.complete(reads(asker, `/10.${asker}.${index >> 8}.${index & 255}`));
    return looked.kind === "known" ? "known" : looked.message;
  };
  await look("1", 0);
  for (let index = 0; index < MAX_NAMES_PER_ASKER; index++) await look("2", index);
  assert.equal(await look("2", MAX_NAMES_PER_ASKER), "known", "it left a quarter of its own");
  assert.equal(client.forgotten[0]?.length, MAX_NAMES_PER_ASKER / 4);
  assert.equal(client.forgotten[0]?.[0], "/10.2.0.0", "the longest unused first");
  let index = MAX_NAMES_PER_ASKER + 1;
  while ((await look("2", index)) === "known") index++;
  assert.equal(counts.at(-1), MAX_NAMES_PER_ASKER + 1);
  assert.match(await look("2", index), /at most 5000 names of one pod and 20000 in all/);
  assert.equal(await look("3", 0), "known");
  clock.advance(MIN_TIDY_INTERVAL_MS);
  assert.equal(await look("2", index), "known");
});

test("what nobody uses leaves after half an hour, with all that it stood for; pods that are served stay", async () => {
  const { client, clock, lookups, put, mesh } = scene();
  client.instant = true;
  const release = lookups.keepPod({ namespace: "ns", name: "served", serviceAccount: "sa" }, "c");
  assert.deepEqual(client.asked, ["c//Pod/ns/served"]);
  put(pod("one", "10.0.0.1"), pod("two", "10.0.0.2"), pod("local", "10.0.0.3", "mine"));
  put(pod("served", "10.0.0.4"), pod("static", "10.0.0.5"));
  await lookups.complete(reads("a", "/10.0.0.1"));
  clock.advance(IDLE_MS - 1);
  await lookups.complete(reads("a", "/10.0.0.2"));
  clock.advance(1);
  assert.deepEqual(client.forgotten, [["/10.0.0.1"], ["one"]]);
  const held: string[] = [];
  mesh.current.workloads.forEach((_workload, uid) => void held.push(uid));
  assert.deepEqual(held.sort(), ["local", "served", "static", "two"]);
  release();
  clock.advance(2 * IDLE_MS);
  assert.deepEqual(client.forgotten.slice(2), [["c//Pod/ns/served"], ["served"], ["/10.0.0.2"], ["two"]]);
});

test("a name that is waited for does not leave", async () => {
  const { client, clock, lookups } = scene();
  const looked = lookups.complete(reads("a", "/10.0.0.1"));
  client.instant = true;
  for (let index = 0; index < MAX_NAMES_PER_ASKER; index++)
    await lookups.complete(reads("a", `/10.1.${index >> 8}.${index & 255}`));
  client.answer("/10.0.0.1");
  assert.equal((await looked).kind, "known");
  assert.ok(!client.forgotten[0]?.includes("/10.0.0.1"));
  clock.advance(0);
});

test("what only describes is waited for half a second, and not at all while nobody answers", async () => {
  const { client, clock, lookups } = scene();
  const described = lookups.describe("a", ["/10.0.0.1", "ns/svc"]);
  assert.deepEqual(client.asked, ["/10.0.0.1", "ns/svc"]);
  await clock.settle(DESCRIBE_TIMEOUT_MS);
  await described;
  client.connected = false;
  await lookups.describe("a", ["/10.0.0.2"]);
  assert.equal(client.asked.length, 2);
  client.connected = true;
  client.answer("/10.0.0.1", "ns/svc");
  await lookups.describe("a", ["/10.0.0.1", "ns/svc"]);
});

test("a control plane that is gone is an answer to nobody", async () => {
  const { client, lookups } = scene();
  client.fetch = () => Promise.reject(new MeshError("ABORTED", "the client was stopped"));
  const looked = await lookups.complete(reads("a", "/10.0.0.1"));
  assert.deepEqual(looked, { kind: "unknown", message: "look up destination: the client was stopped" });
});
