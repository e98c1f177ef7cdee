import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, eventually, type FakeClock } from "@meltemi/testkit";
import type { KubernetesClient } from "./client-types.ts";
import type { Lease } from "./kinds.ts";
import { runLeaderElection } from "./leader-election.ts";
import { statusError } from "./status-error.ts";

const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
  "test",
);

type LeaseClient = Pick<KubernetesClient, "get" | "create" | "replace">;

/** One lease, changed only by whoever has seen its newest version, as the API server does. */
class LeaseServer {
  lease: Lease | undefined;
  #version = 0;

  client(isDown: () => boolean): LeaseClient {
    const answer = (work: () => Lease | undefined): Promise<never> => {
      if (isDown()) return Promise.reject(statusError("test", { code: 503, reason: "", message: "" }));
      try {
        return Promise.resolve(work() as never);
      } catch (error) {
        return Promise.reject(error);
      }
    };
    return {
      get: () => answer(() => this.lease),
      create: (_, object) =>
        answer(() => {
          if (this.lease !== undefined)
            throw statusError("test", { code: 409, reason: "AlreadyExists", message: "" });
          return this.#store(object as Lease);
        }),
      replace: (_, object) =>
        answer(() => {
          if (object.metadata?.resourceVersion !== this.lease?.metadata?.resourceVersion)
            throw statusError("test", { code: 409, reason: "Conflict", message: "" });
          return this.#store(object as Lease);
        }),
    };
  }

  #store(object: Lease): Lease {
    this.#version++;
    this.lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }
}

interface Candidate {
  leads: boolean;
  down: boolean;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

function start(identity: string, server: LeaseServer, clock: FakeClock): Candidate {
  const stop = new AbortController();
  const state = { leads: false, down: false };
  const lead = async (signal: AbortSignal): Promise<void> => {
    state.leads = true;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    state.leads = false;
  };
  const deps = { client: server.client(() => state.down), clock, random: () => 0.5, log, lead };
  const ended = runLeaderElection({ namespace: "a", name: "l", identity }, deps, stop.signal);
  return Object.assign(state, { stop, ended });
}

async function pass(clock: FakeClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

test("one leads, the other follows when the lease is given back", async () => {
  const clock = createFakeClock();
  const server = new LeaseServer();
  const a = start("a", server, clock);
  await eventually(() => a.leads);
  const b = start("b", server, clock);
  await pass(clock, 60);
  assert.deepEqual([a.leads, b.leads], [true, false]);
  a.stop.abort();
  await a.ended;
  await pass(clock, 5);
  assert.deepEqual([a.leads, b.leads], [false, true]);
  assert.equal(server.lease?.spec?.leaseTransitions, 1);
  b.stop.abort();
  await b.ended;
});

test("a leader that cannot renew stops before another begins", async () => {
  const clock = createFakeClock();
  const server = new LeaseServer();
  const a = start("a", server, clock);
  await eventually(() => a.leads);
  const b = start("b", server, clock);
  await pass(clock, 5);
  a.down = true;
  for (let second = 0; second < 40 && !b.leads; second++) {
    await pass(clock, 1);
    assert.ok(!(a.leads && b.leads), "two leaders");
  }
  assert.deepEqual([a.leads, b.leads], [false, true]);
  a.stop.abort();
  b.stop.abort();
  await Promise.all([a.ended, b.ended]);
});

test("a leader whose renewal gets no answer stops before another begins", async () => {
  const clock = createFakeClock();
  const server = new LeaseServer();
  const client = server.client(() => false);
  let [down, silent] = [false, false];
  type Call = { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined };
  const orSilence = <T>(answer: () => Promise<T>, call: Call = {}): Promise<T> => {
    if (down) return Promise.reject(new Error("no route"));
    if (!silent) return answer();
    return new Promise((_, reject) => {
      call.signal?.addEventListener("abort", () => reject(new Error("cut off")));
      clock.after(call.timeoutMs ?? 30_000, () => reject(new Error("timeout")));
    });
  };
  const leading = { a: false };
  const lead = async (signal: AbortSignal): Promise<void> => {
    leading.a = true;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    leading.a = false;
  };
  const stop = new AbortController();
  const hanging: LeaseClient = {
    get: (type, ref, options) => orSilence(() => client.get(type, ref, options), options),
    create: (type, object, options) => orSilence(() => client.create(type, object, options), options),
    replace: (type, object, options) => orSilence(() => client.replace(type, object, options), options),
  };
  const deps = { client: hanging, clock, random: () => 0.5, log, lead };
  const ended = runLeaderElection({ namespace: "a", name: "l", identity: "a" }, deps, stop.signal);
  await eventually(() => leading.a);
  const b = start("b", server, clock);
  await pass(clock, 5);
  down = true;
  await pass(clock, 8);
  // The try that begins just before the deadline is the one that must not wait for its own timeout.
  [down, silent] = [false, true];
  for (let second = 0; second < 40 && !b.leads; second++) {
    await pass(clock, 1);
    assert.ok(!(leading.a && b.leads), "two leaders");
  }
  assert.deepEqual([leading.a, b.leads], [false, true]);
  silent = false;
  stop.abort();
  b.stop.abort();
  await b.ended;
  await ended;
});

test("work that ends or fails is begun again while the lease is ours", async () => {
  const clock = createFakeClock();
  const server = new LeaseServer();
  const stop = new AbortController();
  let begun = 0;
  const lead = (): Promise<void> => {
    begun++;
    return begun === 1 ? Promise.reject(new Error("a bug")) : Promise.resolve();
  };
  const deps = { client: server.client(() => false), clock, random: () => 0.5, log, lead };
  const ended = runLeaderElection({ namespace: "a", name: "l", identity: "a" }, deps, stop.signal);
  await eventually(() => {
    clock.advance(100);
    return begun >= 3;
  });
  stop.abort();
  clock.advance(10_000);
  await ended;
});
