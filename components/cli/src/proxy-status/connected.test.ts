import assert from "node:assert/strict";
import { test } from "node:test";
import { stayingNames } from "./connected.ts";

test("a proxy whose pod is on its way out is not left behind by anybody", () => {
  const pods = [
    {
      metadata: { name: "ztunnel-old", namespace: "istio-system", deletionTimestamp: "2026-11-22T15:00:00Z" },
    },
    { metadata: { name: "ztunnel-new", namespace: "istio-system" } },
  ];
  const names = ["ztunnel-old.istio-system", "ztunnel-new.istio-system", "vm-1.shop"];
  assert.deepEqual(stayingNames(names, pods), ["ztunnel-new.istio-system", "vm-1.shop"]);
});
