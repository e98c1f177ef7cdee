import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseProbeTargets, podRuleset, probeTargetsRuleset, releasedPodRuleset } from "./nftables-rules.ts";

const lines = (text: string, part: string): string[] =>
  text.split("\n").filter((line) => line.includes(part));

test("a pod's rules redirect to Istio's ports, first packets only, and never ztunnel's own", () => {
  const text = podRuleset({ captureDns: true, captureInbound: true });
  const redirects = lines(text, "redirect");
  assert.equal(redirects.length, 7);
  for (const rule of redirects) assert.match(rule, /meta mark & 0xfff != 0x539/);
  for (const rule of redirects.filter((one) => !one.includes("udp"))) assert.match(rule, /== syn/);
  assert.equal(lines(text, "redirect to :15006").length, 2);
  assert.equal(lines(text, "redirect to :15001").length, 2);
  assert.equal(lines(text, "redirect to :15053").length, 3);
});

test("inbound bypass and DNS off leave those rules out", () => {
  const text = podRuleset({ captureDns: false, captureInbound: false });
  assert.deepEqual([lines(text, "15006"), lines(text, "15053"), lines(text, "ct zone")], [[], [], []]);
  assert.equal(lines(text, "15001").length, 2);
});

test("a released pod keeps its chains, empties them, and keeps the marks of running last hops", () => {
  const text = releasedPodRuleset();
  assert.deepEqual([lines(text, "add rule"), lines(text, "mangle")], [[], []]);
  assert.equal(lines(text, "flush chain inet istio-ambient-nat").length, 2);
});

test("probe targets are removed before they are added, each in its family's set", () => {
  const text = probeTargetsRuleset([{ ip: "10.0.0.1", uid: "old" }], [{ ip: "fd00::1", uid: "new" }]);
  assert.deepEqual(text.split("\n"), [
    "delete element inet istio-ambient-nat istio-inpod-probes-v4 { 10.0.0.1 }",
    'add element inet istio-ambient-nat istio-inpod-probes-v6 { fd00::1 comment "new" }',
    "",
  ]);
});

test("parseProbeTargets reads what nft 1.0.6 prints", () => {
  const json = JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6" } },
      {
        set: {
          family: "inet",
          name: "istio-inpod-probes-v4",
          table: "istio-ambient-nat",
          elem: [{ elem: { val: "10.0.0.1", comment: "u" } }],
        },
      },
      { set: { family: "inet", name: "istio-inpod-probes-v6", table: "istio-ambient-nat" } },
      {
        set: {
          family: "inet",
          name: "other",
          table: "istio-ambient-nat",
          elem: [{ elem: { val: "10.0.0.2", comment: "x" } }],
        },
      },
    ],
  });
  assert.deepEqual(parseProbeTargets(json), [{ ip: "10.0.0.1", uid: "u" }]);
  for (const wrong of ["", "{}", "[]", "null"]) assert.equal(parseProbeTargets(wrong), undefined);
});

test("parseProbeTargets takes any text without throwing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseProbeTargets(text)));
});
