import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createLineWriter } from "./line-writer.ts";

test("lines of one turn are one write, in order; the next turn's are another", async () => {
  const written: string[] = [];
  const write = createLineWriter((text) => written.push(text));
  for (const line of ["one\n", "two\n"]) write(line);
  assert.deepEqual(written, []);
  await new Promise((resolve) => setImmediate(resolve));
  write("three\n");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(written, ["one\ntwo\n", "three\n"]);
});

for (const [name, end, code] of [
  ["an exit", "process.exit(3)", 3],
  ["an uncaught error", "throw new Error('no')", 1],
] as const) {
  test(`nothing is lost by ${name}`, () => {
    const module = JSON.stringify(new URL("./line-writer.ts", import.meta.url).href);
    const program = `import { createLineWriter } from ${module};
      createLineWriter((text) => process.stdout.write(text))("last words\\n"); ${end};`;
    const result = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    assert.deepEqual([result.stdout, result.status], ["last words\n", code]);
  });
}
