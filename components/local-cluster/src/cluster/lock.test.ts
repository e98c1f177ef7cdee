import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { withClusterLock } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "meltemi-lock-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("withClusterLock: the second is told who is at it, and the lock goes with the work", async () => {
  await withClusterLock(folder, "a", "up", async () => {
    const second = withClusterLock(folder, "a", "down", () => Promise.resolve("done"));
    await assert.rejects(second, {
      code: "CONFLICT",
      message: `cluster a is being brought up by process ${process.pid}: wait for it, or end it first`,
    });
    assert.equal(await withClusterLock(folder, "b", "down", () => Promise.resolve("other")), "other");
  });
  assert.equal(await withClusterLock(folder, "a", "down", () => Promise.resolve("free")), "free");
  await assert.rejects(
    withClusterLock(folder, "a", "up", () => Promise.reject(new Error("no"))),
    /^Error: no$/,
  );
  assert.deepEqual(readdirSync(folder), []);
});

const left: readonly (readonly [string, string])[] = [
  ["a dead process's", JSON.stringify({ pid: process.pid, startTicks: 1, verb: "up" })],
  ["an empty one", ""],
  ["half of one", '{"pid":'],
];
for (const [name, text] of left)
  test(`withClusterLock: ${name} lock does not hold`, async () => {
    writeFileSync(join(folder, "c.lock"), text);
    assert.equal(await withClusterLock(folder, "c", "up", () => Promise.resolve("taken")), "taken");
    assert.deepEqual(readdirSync(folder), []);
  });
