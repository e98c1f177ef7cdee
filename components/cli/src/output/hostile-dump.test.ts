/** A dump comes from anywhere: whatever JSON it is, commands print something or refuse it, and never fail in another way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@meltemi/runtime";
import fc from "fast-check";
import { policyRows, renderPolicyRows } from "../authz-check/policy-rows.ts";
import { proxiesFromDumps } from "../explain/dump-files.ts";
import { readWaypointView } from "../explain/waypoint-view.ts";
import { VIEWS } from "../proxy-config/views.ts";
import { readSyncStatus, renderSyncTable } from "../proxy-status/sync-status.ts";
import { SUMMARIES } from "../ztunnel-config/summaries.ts";
import type { Json } from "./json.ts";

const key = fc.constantFrom(
  "workloads",
  "services",
  "policies",
  "certificates",
  "workloadState",
  "servedServices",
  "settings",
  "clusters",
  "config",
  "endpoints",
  "ports",
  "connections",
  "info",
  "waypoint",
  "__proto__",
  "constructor",
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, 0, -1, "", "x", "10.0.0.1:80", "a/b", true),
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
  ),
}));
const dumps = fc.dictionary(key, tree) as fc.Arbitrary<Json>;

function orRefuses(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof MeshError, String(error));
  }
}

test("any dump is printed or refused", () => {
  fc.assert(
    fc.property(dumps, (dump) => {
      for (const { select, table } of Object.values(SUMMARIES)) {
        const filter = { workload: { namespace: "a", name: "b" } };
        for (const entries of [select(dump, {}), select(dump, filter)])
          assert.ok(table(entries, dump, { nowMs: 0, raw: false }).length > 0);
      }
      for (const { document, table } of Object.values(VIEWS)) {
        assert.ok(table(dump, {}, 0).length > 0);
        assert.ok(JSON.stringify(document(dump, {})) !== undefined);
      }
      assert.ok(renderPolicyRows(policyRows(dump, undefined)).length > 0);
      assert.ok(renderSyncTable(readSyncStatus([dump], "istiod"), 1).length > 0);
      orRefuses(() => readWaypointView(dump));
      orRefuses(() => proxiesFromDumps([dump]).ztunnelOf("a/b"));
    }),
    { numRuns: 400 },
  );
});
