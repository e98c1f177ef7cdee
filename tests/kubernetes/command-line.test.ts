/** The mesh's commands on a real cluster: what they print comes from real proxies, through the real API server. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { createTemporaryFolder } from "@meltemi/testkit";
import { ensureMesh, mesh, skip } from "./mesh.fixture.ts";
import { call, deployWorkloads, joinMesh, leaveMesh, SHOP } from "./workloads.fixture.ts";

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

after(async () => {
  if (skip === false) await leaveMesh();
});

/** Command → what its output must have. */
const COMMANDS: readonly (readonly [string, RegExp])[] = [
  ["version", /data plane version: [\d.]+ \(2 proxies\)/],
  ["proxy-status", /ztunnel-\w+\.istio-system +Kubernetes +istiod-/],
  ["ztunnel-config workloads", new RegExp(`${SHOP} +client +10\\.244\\.1\\.\\d+ +node1 +None +HBONE`)],
  ["ztunnel-config services", new RegExp(`${SHOP} +web +10\\.96\\.`)],
  [
    "ztunnel-config certificates --node node1",
    new RegExp(`spiffe://cluster.local/ns/${SHOP}/sa/client +Leaf +Available`),
  ],
  ["ztunnel-config policies", /./],
  ["ztunnel-config connections", /./],
  ["analyze -A", /Info \[IST0102\] \(Namespace outside\)/],
  [`x describe pod client -n ${SHOP}`, /Data plane: ambient/],
  [`x describe service web -n ${SHOP}`, /Service: web/],
  ["waypoint list -A", /No waypoints found/],
  ["tag list", /./],
];
for (const [line, want] of COMMANDS)
  test(line, { skip }, async () => {
    // So that there is a connection and a certificate to be shown.
    await call("client");
    assert.match(await mesh(...line.split(" ")), want);
  });

test("x precheck says that this Kubernetes is older than what is supported", { skip }, async () => {
  await assert.rejects(mesh("x", "precheck"), /Istio may not be safe to install or upgrade/);
});

test("bug-report collects from every node", { skip }, async () => {
  await using folder = await createTemporaryFolder("report");
  const said = await mesh("bug-report", "--output-dir", folder.path);
  assert.match(said, /\.t?a?r?\.?gz/);
  assert.ok(existsSync(folder.path));
});
