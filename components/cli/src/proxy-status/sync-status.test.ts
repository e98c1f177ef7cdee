import assert from "node:assert/strict";
import { test } from "node:test";
import { readSyncStatus, renderOne, renderSyncTable, syncDocument } from "./sync-status.ts";

const ANSWER = [
  {
    proxy: "ztunnel-a.istio-system",
    proxy_type: "ztunnel",
    cluster_id: "Kubernetes",
    istio_version: "1.2.3",
    watches: {
      "type.googleapis.com/istio.workload.Address": { status: "SYNCED" },
      "type.googleapis.com/istio.security.Authorization": { status: "ERROR", error: "unknown field" },
    },
  },
  {
    proxy: "waypoint-b.shop",
    proxy_type: "waypoint",
    cluster_id: "Kubernetes",
    istio_version: "1.2.3",
    watches: { "type.googleapis.com/meltemi.waypoint.v1.ServedService": { status: "STALE" } },
  },
  "garbage",
];

test("proxies by name, with the types that they watch", () => {
  assert.deepEqual(renderSyncTable(readSyncStatus(ANSWER, "istiod-x"), 0), [
    "NAME                       CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES",
    "waypoint-b.shop            Kubernetes     istiod-x     1.2.3       1 (ServedService)",
    "ztunnel-a.istio-system     Kubernetes     istiod-x     1.2.3       2 (WADS,WDS)",
  ]);
});

test("the state of each type", () => {
  assert.deepEqual(renderSyncTable(readSyncStatus(ANSWER, "istiod-x"), 1), [
    "NAME                       CLUSTER        SERVEDSERVICE     WADS        WDS         ISTIOD       VERSION",
    "waypoint-b.shop            Kubernetes     STALE             IGNORED     IGNORED     istiod-x     1.2.3",
    "ztunnel-a.istio-system     Kubernetes     IGNORED           ERROR       SYNCED      istiod-x     1.2.3",
  ]);
});

test("one proxy tells what it refused", () => {
  const [ztunnel] = readSyncStatus(ANSWER, "istiod-x");
  assert.ok(ztunnel !== undefined);
  assert.deepEqual(renderOne(ztunnel), [
    "ztunnel-a.istio-system is connected to istiod-x",
    "TYPE     STATUS     ERROR",
    "WADS     ERROR      unknown field",
    "WDS      SYNCED",
  ]);
  assert.deepEqual(syncDocument([ztunnel])[0]?.["watches"], {
    WADS: { status: "ERROR", error: "unknown field" },
    WDS: { status: "SYNCED", error: "" },
  });
});

for (const answer of [undefined, {}, "", [1, null]])
  test(`not a list of proxies: ${JSON.stringify(answer)}`, () =>
    assert.deepEqual(readSyncStatus(answer, "x"), []));
