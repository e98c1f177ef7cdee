import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeqpacketConnection } from "@meltemi/linux";
import { createLogger, LogFilter, MeshError } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { ACCEPT_RETRY_MS, acceptLoop, MIN_ACCEPT_INTERVAL_MS } from "./accept-loop.ts";

const EMFILE = new MeshError("KERNEL", "accept on s: too many open files (EMFILE)");
const SOCKET = {} as SeqpacketConnection;

/** Each accept takes the next outcome; when none is left it waits. */
function start(...outcomes: readonly (SeqpacketConnection | Error)[]) {
  const clock = createFakeClock();
  const lines: string[] = [];
  const log = createLogger(
    { filter: new LogFilter("warn"), format: "plain", nowMs: () => 0, write: (line) => lines.push(line) },
    "zds",
  );
  const left = [...outcomes];
  const adopted: SeqpacketConnection[] = [];
  const stop = new AbortController();
  const listener = {
    accept(signal?: AbortSignal): Promise<SeqpacketConnection> {
      const outcome = left.shift();
      if (outcome instanceof Error) return Promise.reject(outcome);
      if (outcome !== undefined) return Promise.resolve(outcome);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const ended = acceptLoop(
    { listener, clock, log, adopt: (socket) => void adopted.push(socket) },
    stop.signal,
  );
  return { clock, lines, left, adopted, stop, ended };
}

test("want of descriptors is told, waited out, and ends nothing", async () => {
  const loop = start(EMFILE, EMFILE, SOCKET);
  await loop.clock.settle();
  assert.equal(loop.left.length, 2);
  await loop.clock.settle(ACCEPT_RETRY_MS - 1);
  assert.equal(loop.left.length, 2);
  await loop.clock.settle(1 + ACCEPT_RETRY_MS);
  assert.deepEqual(loop.adopted, [SOCKET]);
  assert.equal(loop.lines.length, 2);
  assert.match(loop.lines[0] ?? "", /ztunnel not accepted; trying again.*EMFILE/);
  loop.stop.abort();
  await loop.ended;
});

test("ztunnels are taken one per interval", async () => {
  const loop = start(SOCKET, SOCKET);
  await loop.clock.settle(MIN_ACCEPT_INTERVAL_MS - 1);
  assert.equal(loop.adopted.length, 1);
  await loop.clock.settle(1);
  assert.equal(loop.adopted.length, 2);
  loop.stop.abort();
  await loop.ended;
});

test("it ends while it accepts and while it waits, and tells nothing", async () => {
  for (const loop of [start(), start(SOCKET)]) {
    await loop.clock.settle();
    loop.stop.abort();
    await loop.ended;
    assert.deepEqual(loop.lines, []);
    assert.equal(loop.clock.pending, 0);
  }
});
