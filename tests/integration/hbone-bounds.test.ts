/** What strangers, and our own errors, may cost a server: places, deadlines, and never more than their one connection. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { ConnectionEnd, HboneAdmission } from "@meltemi/hbone";
import type { TlsContexts } from "@meltemi/identity";
import { createFakeClock, eventually } from "@meltemi/testkit";
import { Rig } from "./hbone.fixture.ts";

const deadline = { timeout: 15_000 };
/** A certificate authority that does not answer. */
const never = (): Promise<TlsContexts> => new Promise(() => {});

/** Counts what is held; grants `connections` and `handshakes` at once. */
function places(connections: number, handshakes: number) {
  const held = { connections: 0, handshakes: 0 };
  const take = (kind: keyof typeof held, most: number): ReturnType<HboneAdmission["take"]> => {
    if (held[kind] >= most) return { kind: "refused", message: `no place among ${kind}` };
    held[kind]++;
    let mine = true;
    const release = (): void => {
      if (mine) held[kind]--;
      mine = false;
    };
    return { kind: "admitted", release };
  };
  const admission: HboneAdmission = {
    take: () => take("connections", connections),
    takeHandshake: () => take("handshakes", handshakes),
  };
  return { held, admission };
}

function silentClient(rig: Rig): Socket {
  const socket = connect(rig.hbonePort, "127.0.0.1");
  socket.on("error", () => {});
  return socket.resume();
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));
const details = (ends: readonly ConnectionEnd[]): string => JSON.stringify(ends);

test(
  "a handshake holds two places, a connection in service one, and an ended one none",
  deadline,
  async () => {
    const { held, admission } = places(10, 10);
    await using rig = await Rig.start({ serverDeps: { admission } });
    const silent = silentClient(rig);
    await eventually(() => held.handshakes === 1 && held.connections === 1);
    assert.equal((await rig.open()).kind, "open");
    await eventually(() => held.handshakes === 1 && held.connections === 2);
    silent.destroy();
    await eventually(() => held.handshakes === 0 && held.connections === 1);
    rig.server.abortPeers(() => true);
    await eventually(() => held.connections === 0);
  },
);

for (const [name, granted, detail] of [
  ["handshakes", places(10, 1), "no place among handshakes"],
  ["connections", places(1, 10), "no place among connections"],
] as const)
  test(`strangers beyond the bound of ${name} are closed at once`, deadline, async () => {
    await using rig = await Rig.start({ serverDeps: { admission: granted.admission } });
    const first = silentClient(rig);
    await eventually(() => granted.held.handshakes === 1);
    await closed(silentClient(rig));
    assert.ok(details(rig.connectionEnds).includes(detail), details(rig.connectionEnds));
    assert.deepEqual(granted.held, { connections: 1, handshakes: 1 });
    const gone = eventually(() => granted.held.connections === 0);
    first.destroy();
    await gone;
    assert.equal((await rig.open()).kind, "open");
  });

test("the wait for a certificate counts against the handshake's deadline", deadline, async () => {
  const clock = createFakeClock();
  let give: ((contexts: TlsContexts) => void) | undefined;
  const { held, admission } = places(10, 10);
  await using rig = await Rig.start({
    clock,
    serverDeps: {
      admission,
      certificate: () => new Promise((resolve) => (give = resolve)),
    },
  });
  const late = silentClient(rig);
  await eventually(() => give !== undefined);
  clock.advance(9_000);
  give?.(rig.serverContexts);
  // Now the second timer runs, for the rest of the same deadline.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(clock.nextInMs, 1000);
  const lateGone = closed(late);
  clock.advance(1000);
  await lateGone;
  assert.match(details(rig.connectionEnds), /TLS handshake: not finished after 10000 ms/);
  give = undefined;
  const never = silentClient(rig);
  await eventually(() => give !== undefined);
  const neverGone = closed(never);
  clock.advance(10_000);
  await neverGone;
  assert.match(details(rig.connectionEnds), /no certificate to serve after 10000 ms/);
  assert.equal(clock.pending, 0);
  assert.deepEqual(held, { connections: 0, handshakes: 0 });
});

test("draining waits for a certificate no longer than a handshake may take", deadline, async () => {
  const clock = createFakeClock();
  const { held, admission } = places(10, 10);
  await using rig = await Rig.start({ clock, serverDeps: { admission, certificate: never } });
  const waiting = silentClient(rig);
  const gone = closed(waiting);
  await eventually(() => held.handshakes === 1);
  const drained = rig.server.drain(60_000);
  clock.advance(10_000);
  assert.deepEqual(await drained, { cutStreams: 0 });
  await gone;
  await eventually(() => held.connections === 0 && clock.pending === 0);
  assert.match(details(rig.connectionEnds), /no certificate to serve after 10000 ms/);
});

test(
  "a peer whose handshake is under way when the server drains is served, and then asked to go",
  deadline,
  async () => {
    const certificate = Promise.withResolvers<TlsContexts>();
    let asked = false;
    await using rig = await Rig.start({
      serverDeps: {
        certificate: () => {
          asked = true;
          return certificate.promise;
        },
      },
    });
    const opening = rig.open();
    await eventually(() => asked);
    const drained = rig.server.drain(20_000);
    certificate.resolve(rig.serverContexts);
    const outcome = await opening;
    assert.ok(outcome.kind === "open", JSON.stringify(outcome));
    await eventually(() => rig.server.streams === 1);
    outcome.channel.abort("drain");
    assert.deepEqual(await drained, { cutStreams: 0 });
  },
);

const failure = new Error("broken callback");
const broken = (): never => {
  throw failure;
};

test("a callback that throws for a request costs that connection, not the process", deadline, async () => {
  const errors: unknown[] = [];
  const { held, admission } = places(10, 10);
  await using rig = await Rig.start({
    serverDeps: { admission, onRequest: broken, onInternalError: (error) => void errors.push(error) },
  });
  const outcome = await rig.open();
  assert.equal(outcome.kind, "failed");
  await eventually(() => rig.server.connections === 0 && held.connections === 0);
  assert.deepEqual(errors, [failure]);
  assert.match(details(rig.connectionEnds), /internal error: broken callback/);
});

test("a callback that throws at the end of a connection leaves nothing behind", deadline, async () => {
  const errors: unknown[] = [];
  const { held, admission } = places(1, 10);
  await using rig = await Rig.start({
    serverDeps: { admission, onConnectionEnd: broken, onInternalError: (error) => void errors.push(error) },
  });
  assert.equal((await rig.open()).kind, "open");
  // One more than there are places for: refused, and the report of that throws.
  await closed(silentClient(rig));
  assert.deepEqual(errors, [failure]);
  rig.server.abortPeers(() => true);
  await eventually(() => held.connections === 0 && errors.length === 2);
  assert.deepEqual(await rig.server.drain(1000), { cutStreams: 0 });
});

test("a consumer that throws costs its connection, and the other streams are told", deadline, async () => {
  const errors: unknown[] = [];
  await using rig = await Rig.start({ onPoolError: (error) => void errors.push(error) });
  const [bad, good] = [await rig.open(), await rig.open()];
  assert.ok(bad.kind === "open" && good.kind === "open");
  const told = Promise.withResolvers<string>();
  const rest = { onEnd: () => {}, onDrain: () => {}, onClosed: () => {} };
  good.channel.open({ ...rest, onData: () => {}, onFault: (fault) => told.resolve(fault.kind) });
  bad.channel.open({ ...rest, onData: broken, onFault: broken });
  bad.channel.write(Buffer.from("echo"), false);
  assert.equal(await told.promise, "broken");
  await eventually(() => rig.pool.connections === 0 && rig.server.connections === 0);
  assert.ok(errors.length > 0 && errors.every((error) => error === failure));
  assert.equal((await rig.open()).kind, "open");
});
