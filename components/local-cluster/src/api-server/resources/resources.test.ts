import assert from "node:assert/strict";
import { test } from "node:test";
import { compileJsonPath } from "../custom/json-path.ts";
import { versionRank } from "../discovery.ts";
import type { Json } from "../json.ts";
import { addressAt, addressInRange, parseRange } from "./address-range.ts";
import { humanDuration } from "./age.ts";
import { dnsLabel, dnsSubdomain, labelKeyFault } from "./names.ts";
import { podStatusText } from "./pod-columns.ts";

test("ages read as kubectl's", () => {
  const cases: readonly [number, string][] = [
    [-5, "<invalid>"],
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [150, "2m30s"],
    [600, "10m"],
    [3 * 3600, "3h"],
    [3 * 3600 + 300, "3h5m"],
    [26 * 3600, "26h"],
    [48 * 3600, "2d"],
    [3 * 86_400 + 4 * 3600, "3d4h"],
    [30 * 86_400, "30d"],
    [800 * 86_400, "2y70d"],
    [3_650 * 86_400, "10y"],
  ];
  for (const [seconds, want] of cases) assert.equal(humanDuration(seconds * 1000), want, String(seconds));
});

test("address ranges give each address once and refuse what lies outside", () => {
  const range = parseRange("10.96.0.0/28");
  assert.equal(addressAt(range, 1), "10.96.0.1");
  assert.equal(addressInRange(range, "", new Set()), "10.96.0.1");
  assert.equal(addressInRange(range, "10.96.0.5", new Set()), "10.96.0.5");
  assert.equal(addressInRange(range, "10.96.0.5", new Set(["10.96.0.5"])), undefined);
  assert.equal(addressInRange(range, "10.97.0.5", new Set()), undefined);
  assert.equal(
    addressInRange(range, "", new Set(Array.from({ length: 16 }, (_, index) => addressAt(range, index)))),
    undefined,
  );
  const six = parseRange("fd00:10:96::/112");
  assert.equal(addressInRange(six, "", new Set()), "fd00:10:96::10");
  assert.equal(addressInRange(six, "fd00:10:96::1", new Set()), "fd00:10:96::1");
  for (const bad of ["10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/", "::1/129"])
    assert.throws(() => parseRange(bad), /expected an address/);
});

test("names and label keys", () => {
  assert.equal(dnsLabel("a-1"), undefined);
  for (const bad of ["", "A", "-a", "a-", "a.b", "a".repeat(64)])
    assert.notEqual(dnsLabel(bad), undefined, bad);
  assert.equal(dnsSubdomain("a.b-c.d"), undefined);
  for (const bad of ["a..b", ".a", "a_b"]) assert.notEqual(dnsSubdomain(bad), undefined, bad);
  for (const good of ["app", "example.io/App_1.x"]) assert.equal(labelKeyFault(good), undefined, good);
  for (const bad of ["/a", "a/", "a/b/c", "-a", "UPPER.io/a"])
    assert.notEqual(labelKeyFault(bad), undefined, bad);
});

test("versions are ordered as Kubernetes orders them", () => {
  const sorted = ["v1alpha1", "v2", "v1", "v1beta2", "v10", "junk", "v1beta1"].sort(
    (a, b) => versionRank(b) - versionRank(a),
  );
  assert.deepEqual(sorted, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "junk"]);
});

test("the paths of printer columns", () => {
  const value = {
    spec: { hosts: ["a", "b"], "x.y": 1 },
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Other", status: "False" },
      ],
    },
  };
  const cases: readonly [string, readonly Json[]][] = [
    [".spec.hosts", [["a", "b"]]],
    [".spec.hosts[0]", ["a"]],
    [".spec.hosts[-1]", ["b"]],
    [".spec.hosts[*]", ["a", "b"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type=='Other')].status", ["False"]],
    [".spec['x.y']", [1]],
    [".spec.x\\.y", [1]],
    [".nothing.at.all", []],
    ["((", []],
    [".constructor", []],
  ];
  for (const [path, want] of cases) assert.deepEqual(compileJsonPath(path)(value), want, path);
});

test("the status of a pod in one word", () => {
  const pod = (
    status: Json,
    extra: Record<string, Json> = {},
    spec: Json = { containers: [{ name: "c" }] },
  ): string => podStatusText({ metadata: { name: "p", ...extra }, spec, status });
  const waiting = (reason: string): Json => ({ name: "c", state: { waiting: { reason } } });
  assert.equal(pod({ phase: "Pending" }), "Pending");
  assert.equal(
    pod({ phase: "Running", containerStatuses: [waiting("CrashLoopBackOff")] }),
    "CrashLoopBackOff",
  );
  assert.equal(
    pod({ phase: "Failed", containerStatuses: [{ name: "c", state: { terminated: { exitCode: 3 } } }] }),
    "ExitCode:3",
  );
  assert.equal(pod({ phase: "Running" }, { deletionTimestamp: "2026-01-01T00:00:00Z" }), "Terminating");
  const init = { initContainers: [{ name: "i" }, { name: "j" }], containers: [{ name: "c" }] };
  assert.equal(
    pod({ phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] }, {}, init),
    "Init:0/2",
  );
});
