/** The committed objects are those of the committed sources. Needs a compiler, which only developers' machines and CI have. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildEbpf, missingCompiler } from "../../../tools/build-ebpf.ts";

const COMMITTED = join(import.meta.dirname, "../bpf");

test("there is an object for every source, and none besides", () => {
  const files = readdirSync(COMMITTED);
  const stems = (suffix: string): string[] =>
    files.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  assert.deepEqual(stems(".bpf.o").sort(), stems(".bpf.c").sort());
});

test("no object names a folder of the machine it was built on", () => {
  for (const name of readdirSync(COMMITTED).filter((file) => file.endsWith(".o"))) {
    const absolute = /\0(\/[\w.-]+\/[^\0]*)/.exec(readFileSync(join(COMMITTED, name), "latin1"));
    assert.equal(absolute?.[1], undefined, name);
  }
});

test("compiling the sources gives the committed objects, byte for byte", (t) => {
  const missing = missingCompiler();
  if (missing !== undefined) {
    t.diagnostic(`not compared: ${missing} is not installed; apt-get install clang llvm libbpf-dev`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "build-ebpf-"));
  try {
    for (const name of buildEbpf(folder))
      assert.ok(
        readFileSync(join(folder, name)).equals(readFileSync(join(COMMITTED, name))),
        `${name} is not what its source compiles to: run node tools/build-ebpf.ts with Debian 12's clang`,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
