import assert from "node:assert/strict";
import { test } from "node:test";
import { renderDetached, renderTags } from "./detached.ts";

test("nobody is left behind", () => assert.deepEqual(renderDetached([], "canary"), []));

test("one proxy, which two replicas have told of", () =>
  assert.deepEqual(renderDetached(["ztunnel-a.istio-system", "ztunnel-a.istio-system"], "canary"), [
    "There is still 1 proxy pointing to the control plane revision canary:",
    "  ztunnel-a.istio-system",
    "If you proceed with the uninstall, these proxies will become detached from any control plane and will not function correctly.",
  ]));

test("many proxies are listed up to thirty", () => {
  const names = Array.from({ length: 40 }, (_, index) => `z${String(index).padStart(2, "0")}.a`);
  const lines = renderDetached(names, "canary");
  assert.equal(lines[0], "There are still 40 proxies pointing to the control plane revision canary:");
  assert.equal(lines[30], "  z29.a");
  assert.equal(lines[31], "  … and 10 more");
});

test("tags that stand for it are told of", () => {
  const tags = [
    { tag: "prod", revision: "canary", namespaces: [] },
    { tag: "old", revision: "default", namespaces: [] },
  ];
  assert.match(renderTags(tags, "canary").join(), /^Revision tags that stand for canary: prod\. /);
  assert.deepEqual(renderTags(tags, "other"), []);
});
