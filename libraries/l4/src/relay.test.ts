import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import type { AbortReason, ByteChannel, ByteConsumer } from "./byte-channel.ts";
import { createRelays, type RelayOptions, type RelayResult } from "./relay.ts";

/** A channel that a test plays both ends of. */
class FakeChannel implements ByteChannel {
  readonly bufferedBytes = 0;
  consumer: ByteConsumer | undefined;
  written = 0;
  ended = false;
  paused = false;
  full = false;
  aborted: AbortReason | undefined;
  open(consumer: ByteConsumer): void {
    this.consumer = consumer;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  write(chunk: Uint8Array): boolean {
    this.written += chunk.length;
    return !this.full;
  }
  endWrite(): void {
    this.ended = true;
  }
  abort(reason: AbortReason): void {
    this.aborted = reason;
  }
}

const FAILURE = new Error("broken channel");
const fail = (): never => {
  throw FAILURE;
};

function start(options: Partial<RelayOptions> = {}, broken?: "open" | "abort") {
  const clock = createFakeClock();
  const errors: unknown[] = [];
  const relays = createRelays(
    { idleTimeoutMs: 0, halfOpenTimeoutMs: 0, ...options },
    { clock, onInternalError: (error) => void errors.push(error) },
  );
  const client = new FakeChannel();
  const app = new FakeChannel();
  if (broken !== undefined) app[broken] = fail;
  const session = relays.start(client, app);
  const results: RelayResult[] = [];
  const finished = session.finished.then((result) => results.push(result));
  return { clock, relays, client, app, session, results, finished, errors };
}

const bytes = (count: number): Uint8Array => new Uint8Array(count);

test("bytes are carried and counted by direction", () => {
  const { client, app, session } = start();
  client.consumer?.onData(bytes(10), false);
  app.consumer?.onData(bytes(3), true);
  app.consumer?.onData(bytes(4), true);
  assert.deepEqual([app.written, client.written], [10, 7]);
  assert.deepEqual([session.sentBytes, session.receivedBytes], [10, 7]);
});

test("a full writer pauses the reader opposite, and only that one", () => {
  const { client, app } = start();
  app.full = true;
  client.consumer?.onData(bytes(1), false);
  assert.deepEqual([client.paused, app.paused], [true, false]);
  app.consumer?.onDrain();
  assert.equal(client.paused, false);
});

test("ends are carried one by one; closed when both channels are", async () => {
  const { relays, client, app, results, finished } = start();
  client.consumer?.onEnd();
  assert.deepEqual([app.ended, client.ended, relays.active], [true, false, 1]);
  app.consumer?.onData(bytes(5), false);
  app.consumer?.onEnd();
  assert.equal(client.ended, true);
  app.consumer?.onClosed();
  assert.equal(relays.active, 1);
  client.consumer?.onClosed();
  await finished;
  assert.deepEqual([results[0]?.end, results[0]?.receivedBytes, relays.active], [{ kind: "closed" }, 5, 0]);
});

for (const side of ["downstream", "upstream"] as const) {
  test(`a fault of ${side} resets the other side`, async () => {
    const { client, app, results, finished } = start();
    const [broken, other] = side === "downstream" ? [client, app] : [app, client];
    broken.consumer?.onFault({ kind: "reset" });
    await finished;
    assert.deepEqual(results[0]?.end, { kind: "faulted", side, fault: { kind: "reset" } });
    assert.equal(other.aborted, "other-side-failed");
  });
}

test("an abort resets both sides, once", async () => {
  const { relays, client, app, session, results, finished } = start();
  session.abort("policy");
  session.abort("drain");
  app.consumer?.onFault({ kind: "reset" });
  await finished;
  assert.deepEqual([client.aborted, app.aborted], ["policy", "policy"]);
  assert.deepEqual(results[0]?.end, { kind: "aborted", reason: "policy" });
  assert.equal(relays.abortAll("drain"), 0);
});

const MINUTE = 60_000;
const BOUNDS: readonly {
  readonly name: string;
  readonly options: Partial<RelayOptions>;
  readonly act: (client: FakeChannel, app: FakeChannel) => void;
  readonly want: AbortReason | undefined;
}[] = [
  { name: "no bounds", options: {}, act: () => {}, want: undefined },
  { name: "silent", options: { idleTimeoutMs: 5 * MINUTE }, act: () => {}, want: "idle" },
  {
    name: "one way alive",
    options: { idleTimeoutMs: 5 * MINUTE },
    act: (_, app) => app.consumer?.onData(bytes(1), false),
    want: undefined,
  },
  {
    name: "half open and silent",
    options: { halfOpenTimeoutMs: 5 * MINUTE },
    act: (client) => client.consumer?.onEnd(),
    want: "half-open",
  },
  {
    name: "open, and only half-open ones are bounded",
    options: { halfOpenTimeoutMs: 5 * MINUTE },
    act: () => {},
    want: undefined,
  },
];
for (const { name, options, act, want } of BOUNDS) {
  test(`bounds: ${name}: ${want ?? "goes on"}`, () => {
    const { clock, client, app } = start(options);
    for (let minute = 0; minute < 20; minute++) {
      act(client, app);
      clock.advance(MINUTE);
    }
    assert.equal(app.aborted, want);
  });
}

test("no timer runs without connections", () => {
  const { clock, session } = start({ idleTimeoutMs: MINUTE });
  assert.equal(clock.pending, 1);
  session.abort("policy");
  clock.advance(MINUTE);
  assert.equal(clock.pending, 0);
});

test("a channel that cannot be opened costs its connection, both sides of it", async () => {
  const { client, app, errors, finished, relays, results } = start({}, "open");
  await finished;
  assert.deepEqual([client.aborted, app.aborted], ["other-side-failed", "other-side-failed"]);
  assert.deepEqual(results[0]?.end, { kind: "aborted", reason: "other-side-failed" });
  assert.deepEqual([errors, relays.active], [[FAILURE], 0]);
});

for (const [name, act] of [
  ["a policy", ({ session }: ReturnType<typeof start>) => session.abort("policy")],
  ["a fault opposite", ({ client }: ReturnType<typeof start>) => client.consumer?.onFault({ kind: "reset" })],
  ["its bound", ({ clock }: ReturnType<typeof start>) => clock.advance(2 * MINUTE)],
] as const)
  test(`a channel that cannot be cut because of ${name} ends its connection all the same`, async () => {
    const relay = start({ idleTimeoutMs: MINUTE }, "abort");
    act(relay);
    await relay.finished;
    assert.deepEqual([relay.errors, relay.relays.active], [[FAILURE], 0]);
  });
