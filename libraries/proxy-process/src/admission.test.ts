import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdmission, decideAdmission, limitsFor } from "./admission.ts";

const LIMITS = { process: 100, pod: 60 };
for (const [name, total, pod, pods, want] of [
  ["empty", 0, 0, 1, "admit"],
  ["a pod alone may take its bound", 59, 59, 1, "admit"],
  ["and no more", 60, 60, 1, "podFull"],
  ["the process is full", 100, 0, 4, "processFull"],
  ["a greedy pod in a crowd", 80, 25, 4, "podFull"],
  ["a modest pod in a crowd", 80, 24, 4, "admit"],
  ["a greedy pod while there is room", 79, 50, 4, "admit"],
] as const)
  test(`decideAdmission: ${name}`, () => assert.equal(decideAdmission(LIMITS, total, pod, pods), want));

test("places are given back once", () => {
  const admission = createAdmission({ process: 2, pod: 1 });
  const a = admission.forPod();
  const b = admission.forPod();
  const first = a.take();
  assert.ok(first.kind === "admitted");
  assert.equal(a.take().kind, "refused");
  assert.equal(b.take().kind, "admitted");
  first.release();
  first.release();
  assert.equal(admission.connections, 1);
  assert.equal(a.take().kind, "admitted");
});

test("descriptors bound the connections", () => {
  assert.deepEqual(limitsFor(1024), { process: 614, pod: 614 });
  assert.deepEqual(limitsFor(1_048_576), { process: 100_000, pod: 25_000 });
});

test("handshakes have places of their own, and strangers at most a quarter where there are few", () => {
  const admission = createAdmission({ process: 8, pod: 8 });
  const pod = admission.forPod();
  const first = pod.takeHandshake();
  assert.ok(first.kind === "admitted");
  assert.equal(pod.takeHandshake().kind, "admitted");
  const refused = pod.takeHandshake();
  assert.deepEqual(refused, { kind: "refused", message: "too many handshakes: this proxy holds 2" });
  assert.equal(admission.connections, 0);
  first.release();
  assert.equal(pod.takeHandshake().kind, "admitted");
});

test("one pod's handshakes leave room for those of others, and all of them are bounded", () => {
  const admission = createAdmission(limitsFor(1_048_576));
  let held = 0;
  for (let index = 0; index < 100; index++) {
    const pod = admission.forPod();
    let own = 0;
    while (pod.takeHandshake().kind === "admitted") own++;
    assert.ok(own <= 256);
    held += own;
  }
  assert.ok(held > 3000 && held <= 4096);
});
