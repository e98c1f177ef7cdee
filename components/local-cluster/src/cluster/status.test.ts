import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { identifyProcess } from "../kubelet/container/process-identity.ts";
import { clusterFolder, writeDescription, writeJsonFile } from "./state.ts";
import { otherRunning, renderOthers } from "./status.ts";

test("other clusters that run are named, and what is down, or no cluster, is not", async () => {
  const root = await mkdtemp(join(tmpdir(), "clusters-"));
  try {
    for (const name of ["meltemi", "second", "down"]) {
      const folder = clusterFolder(join(root, name));
      await writeDescription(folder, { name, nodes: 1, apiPort: 6443, zones: [], mountedBpf: false });
      if (name !== "down") await writeJsonFile(folder.daemon, identifyProcess(process.pid));
    }
    await mkdir(join(root, "other"));
    assert.deepEqual(await otherRunning(root, "meltemi"), ["second"]);
    assert.deepEqual(await otherRunning(join(root, "nowhere"), "meltemi"), []);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test("nothing is said of no others", () => {
  assert.equal(renderOthers([]), "");
  assert.match(renderOthers(["a", "b"]), /machine: a, b /);
});
