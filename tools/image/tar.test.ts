import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { completeTree, type Entry, fileOf, textFile } from "./file-tree.ts";
import { readTar, writeTar } from "./tar.ts";

const deep = `${"folder/".repeat(20)}${"f".repeat(90)}`;
const tree = completeTree(
  new Map<string, Entry>([
    ["usr/bin/program", fileOf(Buffer.alloc(1000, 7), 0o755)],
    ["bin", { kind: "link", target: "usr/bin" }],
    ["tmp", { kind: "folder", mode: 0o1777 }],
    ["empty", textFile("")],
    [deep, textFile("far down")],
  ]),
);

test("what is written is read again: files, links, folders and their modes, long paths", () => {
  assert.deepEqual([...readTar(writeTar(tree))], [...tree]);
});

test("the system's tar agrees", () => {
  const folder = mkdtempSync(join(tmpdir(), "meltemi-tar-"));
  try {
    writeFileSync(join(folder, "a.tar"), writeTar(tree, 1));
    const list = execFileSync("tar", ["tvf", join(folder, "a.tar"), "--numeric-owner", "--utc"], {
      encoding: "utf8",
    });
    assert.match(list, /^-rwxr-xr-x 0\/0 +1000 1970-01-01 00:00 usr\/bin\/program$/m);
    assert.match(list, /^lrwxrwxrwx 0\/0 +0 1970-01-01 00:00 bin -> usr\/bin$/m);
    assert.match(list, /^drwxrwxrwt 0\/0 +0 1970-01-01 00:00 tmp\/$/m);
    assert.ok(list.includes(deep));
    // GNU tar's own long names, and hard links.
    writeFileSync(join(folder, "x".repeat(120)), "long");
    execFileSync("ln", ["x".repeat(120), "same"], { cwd: folder });
    execFileSync("tar", ["cf", "b.tar", "--format=gnu", "x".repeat(120), "same"], { cwd: folder });
    const read = readTar(execFileSync("cat", [join(folder, "b.tar")]));
    assert.equal(contentOf(read.get("x".repeat(120))), "long");
    assert.equal(contentOf(read.get("same")), "long");
    execFileSync("ln", ["-s", "x".repeat(120), "link"], { cwd: folder });
    execFileSync("tar", ["cf", "c.tar", "--format=pax", "x".repeat(120), "link"], { cwd: folder });
    const pax = readTar(execFileSync("cat", [join(folder, "c.tar")]));
    assert.equal(contentOf(pax.get("x".repeat(120))), "long");
    assert.deepEqual(pax.get("link"), { kind: "link", target: "x".repeat(120) });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function contentOf(entry: Entry | undefined): string | undefined {
  return entry?.kind === "file" ? Buffer.from(entry.content).toString() : undefined;
}

test("paths and links that have no room are refused, not cut", () => {
  assert.throws(() => writeTar(new Map([["x".repeat(101), textFile("")]])), /expected a path that splits/);
  assert.throws(
    () => writeTar(new Map([["a", { kind: "link", target: "x".repeat(101) }]])),
    /at most 100 bytes/,
  );
});

const whole = writeTar(new Map([["a/b", textFile("text")]]));
const changed = (at: number, text: string): Buffer => {
  const copy = Buffer.from(whole);
  copy.write(text, at);
  return copy;
};
const refusals = [
  { name: "cut in a file", archive: whole.subarray(0, 514), want: /is cut/ },
  { name: "without an end", archive: whole.subarray(0, 1024), want: /is cut/ },
  { name: "a device", archive: changed(156, "3"), want: /got type "3"/ },
  { name: "a path that leaves", archive: changed(0, "../b\0"), want: /inside the archive/ },
  { name: "no number", archive: changed(124, "zz"), want: /octal/ },
  { name: "a hard link to nothing", archive: changed(156, "1"), want: /before its other name/ },
];
for (const { name, archive, want } of refusals)
  test(`refused: ${name}`, () => assert.throws(() => readTar(archive), want));

test("whatever bytes come, reading ends, with files inside the archive or with an error", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const archive = Buffer.from(whole);
      for (const [at, value] of changes) archive[at] = value;
      try {
        for (const path of readTar(archive).keys()) assert.ok(!path.split("/").includes(".."));
      } catch (error) {
        assert.match((error as Error).message, /^read tar: /);
      }
    }),
  );
});
