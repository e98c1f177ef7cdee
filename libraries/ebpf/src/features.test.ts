import assert from "node:assert/strict";
import { test } from "node:test";
import { type KernelFeature, reportOf } from "./features.ts";

const feature = (name: string, present: boolean, required: boolean): KernelFeature => ({
  ...{ name, present, required },
  since: "5.9",
  purpose: "inbound capture",
});

test("with everything there eBPF capture is possible", () => {
  assert.deepEqual(reportOf([feature("a", true, true)]).ebpf, true);
});

test("a missing requirement is named with the version that has it and what it is for", () => {
  const report = reportOf([feature("a", true, true), feature("sk_lookup programs", false, true)]);
  assert.equal(report.ebpf, false);
  assert.equal(
    report.summary,
    "eBPF capture is not possible: this kernel lacks sk_lookup programs (Linux 5.9, for inbound capture)",
  );
});

test("something lesser that is missing is named and does not stop it", () => {
  const report = reportOf([feature("BTF", false, false)]);
  assert.equal(report.ebpf, true);
  assert.match(report.summary, /missing, not needed for it: BTF/);
});
