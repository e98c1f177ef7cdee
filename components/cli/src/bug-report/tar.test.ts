import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createTemporaryFolder } from "@meltemi/testkit";
import { tarEnd, tarEntry } from "./tar.ts";

test("the real tar unpacks what was packed, whatever its size and name", async () => {
  await using folder = await createTemporaryFolder("tar");
  const deep = `${"folder/".repeat(20)}${"n".repeat(90)}.txt`;
  const files = ["", "a", "b".repeat(512), "c".repeat(5000)].map((text, index) => ({
    path: index === 3 ? deep : `top/${index}.txt`,
    content: Buffer.from(text),
  }));
  const archive = join(folder.path, "x.tar");
  writeFileSync(archive, Buffer.concat([...files.map((file) => tarEntry(file, 1_700_000_000)), tarEnd()]));
  execFileSync("tar", ["xf", archive, "-C", folder.path]);
  for (const { path, content } of files) assert.deepEqual(readFileSync(join(folder.path, path)), content);
});
