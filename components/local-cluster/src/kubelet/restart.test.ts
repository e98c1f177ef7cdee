import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import { NEW_CONTAINER } from "./pod-runtime.ts";
import { afterEnd, afterFailedStart, restartDelayMs, stopGraceMs } from "./restart.ts";

const restartBackoff = { baseMs: 10_000, maxMs: 300_000 };
const context = { clock: { ...systemClock, nowMs: () => 50_000 }, restartBackoff };

for (const [failures, want] of [
  [1, 0],
  [2, 10_000],
  [3, 20_000],
  [6, 160_000],
  [7, 300_000],
  [1000, 300_000],
] as const)
  test(`restartDelayMs after ${failures}`, () =>
    assert.equal(restartDelayMs(restartBackoff, failures), want));

test("a long run clears the back-off", () => {
  const state = {
    ...NEW_CONTAINER,
    failures: 9,
    run: { kind: "running", startedAtMs: 0, stopping: false },
  } as const;
  assert.equal(afterEnd(state, { exitCode: 0, finishedAtMs: 600_000 }, context).failures, 1);
  const soon = afterEnd(state, { exitCode: 1, finishedAtMs: 599_999 }, context);
  assert.deepEqual([soon.failures, soon.notBeforeMs], [10, 599_999 + 300_000]);
  assert.deepEqual([soon.started, soon.ready, soon.unhealthy], [false, false, undefined]);
});

for (const [error, reason] of [
  [new MeshError("NOT_FOUND", 'image "x": expected'), "ErrImagePull"],
  [new MeshError("NOT_FOUND", 'configmap "x" not found'), "CreateContainerConfigError"],
  [new MeshError("INPUT_INVALID", "no command"), "CreateContainerConfigError"],
  [new MeshError("KERNEL", "mount failed"), "RunContainerError"],
  [new Error("disk full"), "RunContainerError"],
] as const)
  test(`a failed start: ${error.message} is ${reason}`, () => {
    const { state, event } = afterFailedStart(NEW_CONTAINER, error, 1, context);
    assert.deepEqual(state.run, { kind: "waiting", reason, message: error.message });
    assert.equal(state.notBeforeMs, 60_000);
    assert.match(event.message, new RegExp(`^Error: ${reason}: `));
  });

test("a program that is not there: the run has an end, with its reason", () => {
  const message = 'exec: "/bin/no": stat /bin/no: no such file or directory';
  const { state, event } = afterFailedStart(NEW_CONTAINER, new MeshError("NOT_FOUND", message), 1, context);
  const times = { startedAtMs: 50_000, finishedAtMs: 50_000 };
  assert.deepEqual(state.run, { kind: "exited", exitCode: 128, startError: message, ...times });
  assert.deepEqual([state.attempt, state.notBeforeMs], [1, 50_000]);
  assert.equal(event.message, `Error: RunContainerError: ${message}`);
  const again = afterFailedStart(state, new MeshError("NOT_FOUND", message), 2, context).state;
  assert.deepEqual([again.attempt, again.notBeforeMs, again.previous], [2, 60_000, state.run]);
});

const spec = { containers: [], terminationGracePeriodSeconds: 7 };
const probed = { name: "c", livenessProbe: { terminationGracePeriodSeconds: 3 } };
const graces: readonly (readonly [string, Pod, boolean, number])[] = [
  ["default", { spec: { containers: [] } }, false, 30_000],
  ["of the pod", { spec }, false, 7000],
  ["of the probe that failed", { spec }, true, 3000],
  ["of the deletion", { spec, metadata: { deletionGracePeriodSeconds: 0 } }, true, 0],
];
for (const [name, pod, unhealthy, want] of graces)
  test(`stopGraceMs: ${name}`, () => assert.equal(stopGraceMs(pod, probed, unhealthy), want));
