import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isElf, readNeeds, withoutUnloadedTail } from "./elf.ts";

const node = readFileSync(process.execPath);

test("a program names its loader and its libraries", () => {
  const { interpreter, libraries } = readNeeds(node);
  assert.match(interpreter ?? "", /^\/lib(64)?\/ld-linux-/);
  assert.ok(libraries.includes("libc.so.6"));
  assert.ok(libraries.includes("libstdc++.so.6"));
});

test("Node without what is never loaded is smaller, and runs", () => {
  const folder = mkdtempSync(join(tmpdir(), "meltemi-elf-"));
  try {
    const cut = withoutUnloadedTail(node);
    assert.ok(cut.length < node.length);
    assert.deepEqual(readNeeds(cut), readNeeds(node));
    assert.equal(withoutUnloadedTail(cut), cut, "there is nothing more to cut");
    const program = join(folder, "node");
    writeFileSync(program, cut);
    chmodSync(program, 0o755);
    assert.equal(execFileSync(program, ["-p", "6 * 7"], { encoding: "utf8" }), "42\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what is no program is refused", () => {
  assert.equal(isElf(Buffer.from("#!/bin/sh")), false);
  assert.throws(() => readNeeds(Buffer.from("#!/bin/sh")), /expected a 64-bit little-endian program/);
  assert.throws(() => readNeeds(node.subarray(0, 100)), /inside the file/);
});

test("whatever the header says, reading ends with an answer or an error of ours", () => {
  const small = readFileSync("/bin/true");
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const bytes = Buffer.from(small);
      for (const [at, value] of changes) bytes[at] = value;
      for (const read of [readNeeds, withoutUnloadedTail]) {
        try {
          read(bytes);
        } catch (error) {
          assert.match((error as Error).message, /^read ELF: /);
        }
      }
    }),
  );
});
