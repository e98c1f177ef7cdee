/** The API server contract, by the local cluster's own server. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { describeContract } from "../contract/contract.ts";
import { DIFFERENCES } from "../contract/differences.ts";
import { differencesTable } from "../contract/differences-table.ts";
import { SUBJECTS } from "../contract/subjects.ts";
import { startTestCluster } from "./api-server.fixture.ts";

describeContract(
  "embedded",
  async () => {
    const { port, caPem, adminToken, kubeconfig, close } = await startTestCluster({ restarted: true });
    return { url: `https://127.0.0.1:${port}`, ca: caPem, token: adminToken, kubeconfig, stop: close };
  },
  SUBJECTS,
);

test("the documentation lists what differs", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/local-cluster.md"), "utf8");
  assert.ok(text.includes(differencesTable()), `docs/local-cluster.md should have:\n${differencesTable()}`);
});

test("every difference is one of the contract's cases", () => {
  const known = new Set<string>();
  const contract = { kind: "embedded" as const, case: (name: string): void => void known.add(name) };
  for (const register of Object.values(SUBJECTS)) register(contract);
  for (const row of DIFFERENCES) assert.ok(known.has(row.case), row.case);
});
