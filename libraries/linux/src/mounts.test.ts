import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMountInfo } from "./mounts.ts";

test("parseMountInfo reads type, path and root, with and without optional fields", () => {
  const text = [
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
    "41 29 0:35 /pods/a /mnt/with\\040space rw - bpf bpf rw,mode=700",
    "",
  ].join("\n");
  assert.deepEqual(parseMountInfo(text), [
    { root: "/", path: "/sys/fs/cgroup", type: "cgroup2" },
    { root: "/pods/a", path: "/mnt/with space", type: "bpf" },
  ]);
});

for (const line of ["nonsense", "1 2 3", "1 2 3 / - ", " - "])
  test(`parseMountInfo passes over ${JSON.stringify(line)}`, () =>
    assert.deepEqual(parseMountInfo(line), []));
