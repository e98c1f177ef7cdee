import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { CaptureBackend } from "@meltemi/ebpf";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createTemporaryFolder } from "@meltemi/testkit";
import { retirePrevious } from "./retire-previous.ts";

const sink = {
  filter: new LogFilter("off"),
  format: "plain",
  nowMs: () => 0,
  write: () => undefined,
} as const;

const CASES = [
  { name: "a first start", before: undefined, did: [] },
  { name: "the same kind", before: "ebpf\n", did: [] },
  { name: "another kind", before: "nftables\n", did: ["open nftables", "unenrol u1", "remove", "close"] },
  { name: "a file of something else", before: "iptables\n", did: [] },
];
for (const { name, before, did: want } of CASES)
  test(`retirePrevious: ${name}`, async () => {
    await using folder = await createTemporaryFolder("cni");
    const memory = folder.file("capture");
    if (before !== undefined) await writeFile(memory, before);
    const did: string[] = [];
    const open = (kind: CaptureBackend["kind"]) => {
      did.push(`open ${kind}`);
      const backend: CaptureBackend = {
        kind,
        enrol: async () => undefined,
        unenrol: async ({ uid }) => void did.push(`unenrol ${uid}`),
        list: async () => [{ uid: "u1" }],
        close: () => undefined,
        [Symbol.dispose]: () => void did.push("close"),
      };
      return { backend, remove: async () => void did.push("remove") };
    };
    await retirePrevious(memory, "ebpf", { open, netnsOf: () => undefined, log: createLogger(sink, "t") });
    assert.deepEqual([did, await readFile(memory, "utf8")], [want, "ebpf\n"]);
  });
