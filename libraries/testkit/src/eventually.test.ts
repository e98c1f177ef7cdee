import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { eventually } from "./eventually.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

test("eventually gives the first truthy value, and lets assertions fail until they hold", async () => {
  let tries = 0;
  assert.equal(await eventually(() => (++tries < 3 ? 0 : tries), { everyMs: 1 }), 3);
  const value = await eventually(
    async () => {
      assert.ok(++tries > 5, "not yet");
      return "done";
    },
    { everyMs: 1 },
  );
  assert.equal(value, "done");
});

test("eventually ends at its deadline and tells the last failure", async () => {
  await assert.rejects(
    eventually(() => assert.fail("the reason"), { deadlineMs: 5, everyMs: 1 }),
    (error: Error) => /within 5 ms/.test(error.message) && String(error.cause).includes("the reason"),
  );
  await assert.rejects(
    eventually(() => undefined, { deadlineMs: 0 }),
    /within 0 ms/,
  );
});

test("a temporary folder vanishes with all that is in it", async () => {
  let path = "";
  {
    await using folder = await createTemporaryFolder("kit");
    path = folder.path;
    await writeFile(folder.file("a"), "a");
    assert.ok(existsSync(path));
  }
  assert.ok(!existsSync(path));
});
