import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIdentity, type Identity } from "@meltemi/model";
import { createFakeClock, createTestAuthority, type FakeClock } from "@meltemi/testkit";
import { type CertificateManager, createCertificateManager } from "./certificate-manager.ts";
import { afterFailure, afterSuccess, NEW_STANDING, refreshAtMs } from "./certificate-schedule.ts";
import type { WorkloadCertificate } from "./workload-certificate.ts";

const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;
const template = createTestAuthority().issue("default/a");
const who = (name: string): Identity => ({
  trustDomain: "cluster.local",
  namespace: "default",
  serviceAccount: name,
});

interface Call {
  readonly name: string;
  readonly atMs: number;
  readonly signal: AbortSignal;
  answer(lifeMs?: number): void;
  fail(text?: string): void;
}

interface Bench {
  readonly clock: FakeClock;
  readonly manager: CertificateManager;
  /** Every fetch that was started, in order. */
  readonly calls: Call[];
  names(): string[];
}

/** The real thing around a CA that answers when the test says so. Certificates keep their bytes; only their dates matter. */
function bench(
  options: { maxConcurrentFetches?: number; maxIdentities?: number; random?: number } = {},
): Bench {
  const clock = createFakeClock(1_000_000_000_000);
  const calls: Call[] = [];
  const fetch = (identity: Identity, signal: AbortSignal): Promise<WorkloadCertificate> =>
    new Promise((resolve, reject) => {
      const nowMs = clock.nowMs();
      calls.push({
        name: identity.serviceAccount,
        atMs: clock.monotonicMs(),
        signal,
        answer: (lifeMs = 2 * HOUR_MS) =>
          resolve({ ...template, identity, notBeforeMs: nowMs, notAfterMs: nowMs + lifeMs }),
        fail: (text = "CA is away") => reject(new Error(text)),
      });
    });
  const random = (): number => options.random ?? 0.5;
  const manager = createCertificateManager(options, { clock, random, fetch });
  return { clock, manager, calls, names: () => calls.map((call) => call.name) };
}

test("requests for one identity are coalesced into one fetch, and later ones are answered from memory", async () => {
  const { clock, manager, calls } = bench();
  const asked = [
    manager.get(who("a"), "background"),
    manager.get(who("a"), "realtime"),
    manager.get(who("a"), "warmup"),
  ];
  assert.equal(manager.current(who("a")), undefined);
  calls[0]?.answer();
  const [first, ...others] = await Promise.all(asked);
  await clock.settle();
  for (const other of [...others, await manager.get(who("a"), "realtime"), manager.current(who("a"))])
    assert.equal(other, first);
  assert.equal(calls.length, 1);
});

test("a certificate is renewed at half of its life, the old one serving until the new one is there", async () => {
  const { clock, manager, calls } = bench();
  const rotated: WorkloadCertificate[] = [];
  manager.onRotated((certificate) => rotated.push(certificate));
  const first = manager.get(who("a"), "realtime");
  calls[0]?.answer(24 * HOUR_MS);
  const old = await first;
  await clock.settle(12 * HOUR_MS - 1);
  assert.equal(calls.length, 1);
  await clock.settle(1);
  assert.equal(calls.length, 2);
  assert.equal(await manager.get(who("a"), "realtime"), old);
  calls[1]?.answer(24 * HOUR_MS);
  await clock.settle();
  const renewed = manager.current(who("a"));
  assert.notEqual(renewed, old);
  assert.deepEqual(rotated, [old, renewed]);
  await clock.settle(12 * HOUR_MS);
  assert.equal(calls.length, 3);
});

test("no more than eight at a time, the most urgent first, an urgent request upgrading a waiting one", async () => {
  const { clock, manager, calls, names } = bench();
  const running = Array.from({ length: 8 }, (_, index) => `run${index}`);
  for (const name of running) void manager.get(who(name), "background");
  for (const name of ["back1", "back2"]) void manager.get(who(name), "background");
  for (const name of ["warm1", "warm2"]) void manager.get(who(name), "warmup");
  void manager.get(who("real1"), "realtime");
  void manager.get(who("back2"), "realtime");
  void manager.get(who("real1"), "background"); // never moves down
  await clock.settle();
  assert.deepEqual(names(), running);
  for (let index = 0; index < 5; index++) {
    calls[index]?.answer();
    await clock.settle();
  }
  assert.deepEqual(names().slice(8), ["real1", "back2", "warm1", "warm2", "back1"]);
});

test("an unavailable identity answers with its error at once, retries with doubling pauses, and starts over after success", async () => {
  const { clock, manager, calls } = bench();
  const first = manager.get(who("a"), "realtime");
  calls[0]?.fail("no such pod");
  await assert.rejects(first, /no such pod/);
  await assert.rejects(manager.get(who("a"), "realtime"), /no such pod/);
  assert.equal(manager.states()[0]?.state, "Unavailable: no such pod");
  for (const expected of [1, 2, 4, 8, 16, 32, 64, 128, 150, 150]) {
    const before = calls.length;
    await clock.settle(expected * SECOND_MS - 1);
    assert.equal(calls.length, before);
    await clock.settle(1);
    assert.equal(calls.length, before + 1, `retry after ${expected} s`);
    await assert.rejects(
      manager.get(who("a"), "realtime"),
      /no such pod/,
      "at once, though a retry is under way",
    );
    calls.at(-1)?.fail("no such pod");
    await clock.settle();
  }
  await clock.settle(150 * SECOND_MS);
  calls.at(-1)?.answer();
  await clock.settle();
  assert.ok(await manager.get(who("a"), "realtime"));
  await clock.settle(HOUR_MS);
  const renewals = calls.length;
  calls.at(-1)?.fail();
  await clock.settle(SECOND_MS);
  assert.equal(calls.length, renewals + 1, "back to one second after a success");
});

test("jitter stays within 20 %, and the cap holds", () => {
  for (const [random, expectedMs] of [
    [0, 800],
    [0.5, 1000],
    [0.999999, 1200],
  ] as const) {
    const standing = afterFailure(NEW_STANDING, new Error("x"), 0, () => random);
    assert.equal(Math.round(standing.nextFetchAtMs), expectedMs);
  }
  const many = { ...NEW_STANDING, failures: 5000 };
  assert.equal(afterFailure(many, new Error("x"), 0, () => 0.9999).nextFetchAtMs, 150_000);
});

test("failed renewals keep the valid certificate until its last moment, and no longer", async () => {
  const { clock, manager, calls } = bench();
  const first = manager.get(who("a"), "realtime");
  calls[0]?.answer(20 * SECOND_MS);
  const held = await first;
  for (let attempt = 1; clock.monotonicMs() < 20 * SECOND_MS; attempt++) {
    await clock.settle(SECOND_MS);
    calls.at(-1)?.fail();
    await clock.settle();
    if (clock.monotonicMs() <= 20 * SECOND_MS) assert.equal(await manager.get(who("a"), "realtime"), held);
    assert.ok(attempt < 100);
  }
  await clock.settle(SECOND_MS);
  calls.at(-1)?.fail("still away");
  await clock.settle(SECOND_MS);
  assert.equal(manager.current(who("a")), undefined);
  await assert.rejects(manager.get(who("a"), "realtime"));
});

test("the retry after a failed renewal never waits beyond the end of the certificate", () => {
  const nowMs = 1_000_000;
  const certificate = { ...template, notBeforeMs: nowMs - 100_000, notAfterMs: nowMs + 30_000 };
  const held = { ...afterSuccess(certificate, nowMs), failures: 7 };
  const after = afterFailure(held, new Error("x"), nowMs, () => 0.5);
  assert.deepEqual([after.status.kind, after.nextFetchAtMs], ["available", nowMs + 30_000]);
});

test("a life that is half over at birth is renewed at half of what is left, never in a loop", () => {
  const life = (notBeforeMs: number, notAfterMs: number): WorkloadCertificate => ({
    ...template,
    notBeforeMs,
    notAfterMs,
  });
  assert.equal(refreshAtMs(life(0, 100_000), 0), 50_000);
  assert.equal(refreshAtMs(life(-120_000, 10_000), 0), 5000);
  assert.equal(refreshAtMs(life(-120_000, 100), 0), 1000);
});

test("after the machine slept over the expiry, the next request fetches at once and waits for it", async () => {
  let sleptMs = 0;
  const base = createFakeClock();
  const clock: FakeClock = { ...base, nowMs: () => base.nowMs() + sleptMs, settle: base.settle };
  let fetches = 0;
  const fetch = (identity: Identity): Promise<WorkloadCertificate> => {
    fetches++;
    return Promise.resolve({
      ...template,
      identity,
      notBeforeMs: clock.nowMs(),
      notAfterMs: clock.nowMs() + HOUR_MS,
    });
  };
  const manager = createCertificateManager({}, { clock, random: () => 0.5, fetch });
  const old = await manager.get(who("a"), "realtime");
  sleptMs = 10 * HOUR_MS;
  assert.equal(manager.current(who("a")), undefined);
  const fresh = await manager.get(who("a"), "realtime");
  assert.ok(fresh !== old && fetches === 2);
  sleptMs = 20 * HOUR_MS;
  await base.settle(60_000); // No timer sleeps longer than a minute, so a jump of the date is seen.
  assert.equal(fetches, 3);
});

test("forget: drops what is held, queued, waited for and under way", async () => {
  const { clock, manager, calls, names } = bench({ maxConcurrentFetches: 1 });
  const underway = manager.get(who("a"), "realtime");
  const queued = manager.get(who("b"), "realtime");
  manager.forget(who("b"));
  await assert.rejects(queued, /no longer wanted/);
  manager.forget(who("a"));
  await assert.rejects(underway, /no longer wanted/);
  assert.ok(calls[0]?.signal.aborted);
  calls[0]?.answer();
  await clock.settle();
  assert.equal(manager.current(who("a")), undefined);
  assert.deepEqual([manager.states(), names(), clock.pending], [[], ["a"], 0]);
  const again = manager.get(who("a"), "realtime");
  calls[1]?.answer();
  assert.ok(await again);
  manager.forget(who("a"));
  manager.forget(who("never"));
  assert.equal(clock.pending, 0);
});

test("forgotten and asked again while the first fetch is under way: only the second result counts", async () => {
  const { clock, manager, calls } = bench();
  manager.get(who("a"), "realtime").catch(() => {});
  manager.forget(who("a"));
  const second = manager.get(who("a"), "realtime");
  calls[0]?.fail("late failure of the first");
  await clock.settle();
  calls[1]?.answer();
  assert.ok(await second);
  assert.equal(manager.states()[0]?.state, "Available");
});

test("bounds: too many identities are refused, and nothing starts after dispose", async () => {
  const { clock, manager, calls } = bench({ maxIdentities: 2 });
  const asked = [manager.get(who("a"), "warmup"), manager.get(who("b"), "warmup")];
  await assert.rejects(manager.get(who("c"), "realtime"), /at most 2 identities/);
  manager[Symbol.dispose]();
  for (const one of asked) await assert.rejects(one, /no longer wanted/);
  await assert.rejects(manager.get(who("a"), "realtime"), /shutting down/);
  await clock.settle(HOUR_MS);
  assert.deepEqual([calls.length, clock.pending], [2, 0]);
});

test("the dump has Istio's form", async () => {
  const { clock, manager, calls } = bench();
  for (const name of ["b", "a"]) manager.get(who(name), "realtime").catch(() => {});
  assert.deepEqual(manager.states(), [
    { identity: formatIdentity(who("a")), state: "Initializing", certChain: [], rootCerts: [] },
    { identity: formatIdentity(who("b")), state: "Initializing", certChain: [], rootCerts: [] },
  ]);
  calls[0]?.answer();
  calls[1]?.fail("refused");
  await clock.settle();
  const [a, b] = manager.states();
  assert.equal(a?.state, "Unavailable: refused");
  assert.equal(b?.state, "Available");
  assert.match(Buffer.from(b?.certChain[0]?.pem ?? "", "base64").toString(), /^-----BEGIN CERTIFICATE-----/);
  assert.match(b?.certChain[0]?.serialNumber ?? "", /^\d+$/);
  assert.match(b?.rootCerts[0]?.expirationTime ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test("stress: a thousand identities, every one fetched once, never more than eight at a time", async () => {
  let running = 0;
  let most = 0;
  let fetches = 0;
  const clock = createFakeClock();
  const fetch = async (identity: Identity): Promise<WorkloadCertificate> => {
    fetches++;
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return { ...template, identity, notBeforeMs: clock.nowMs(), notAfterMs: clock.nowMs() + HOUR_MS };
  };
  const manager = createCertificateManager({}, { clock, random: Math.random, fetch });
  const names = Array.from({ length: 3000 }, (_, index) => `w${index % 1000}`);
  const got = await Promise.all(names.map((name) => manager.get(who(name), "warmup")));
  assert.ok(got.every((certificate, index) => certificate.identity.serviceAccount === names[index]));
  assert.deepEqual([fetches, most], [1000, 8]);
});
