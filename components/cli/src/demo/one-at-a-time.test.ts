import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createTemporaryFolder } from "@meltemi/testkit";
import { holdName } from "./one-at-a-time.ts";

test("a name is held by one demo at a time, and free again when it ends", async () => {
  await using folder = await createTemporaryFolder("demo");
  const path = folder.file("meltemi-demo-a.pid");
  {
    using held = holdName("a", folder.path);
    assert.ok(existsSync(path));
    assert.ok(!held.orphaned);
  }
  assert.ok(!existsSync(path));
});

test("a demo that runs is not disturbed, one that was killed is", async () => {
  await using folder = await createTemporaryFolder("demo");
  const path = folder.file("meltemi-demo-a.pid");
  const other = spawn(process.execPath, ["-e", "process.stdin.resume()", "demo"]);
  await new Promise((resolve) => other.once("spawn", resolve));
  writeFileSync(path, `${other.pid}\n`);
  assert.throws(() => holdName("a", folder.path), /runs already \(process \d+\)/);
  const ended = new Promise((resolve) => other.once("close", resolve));
  other.kill("SIGKILL");
  await ended;
  using held = holdName("a", folder.path);
  assert.ok(held.orphaned);
});

test("a process that is no demo, or no number at all, holds nothing", async () => {
  await using folder = await createTemporaryFolder("demo");
  for (const text of [String(process.pid), "x", ""]) {
    writeFileSync(folder.file("meltemi-demo-a.pid"), text);
    using _ = holdName("a", folder.path);
  }
});
