import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event, Pod } from "@meltemi/kubernetes";
import { troubleOf, workloadWarning } from "./explain-pods.ts";

const event = (
  about: Partial<Event["involvedObject"]>,
  reason: string,
  at = "2026-01-01T00:00:00Z",
  type = "Warning",
): Event => ({
  metadata: {},
  involvedObject: about,
  type,
  reason,
  message: "said",
  lastTimestamp: at,
});
const pod = (status: object, metadata: object = {}): Pod => ({
  metadata: { name: "p", uid: "u", ...metadata },
  spec: { nodeName: "n", containers: [] },
  status: status as NonNullable<Pod["status"]>,
});
const container = (state: object, more: object = {}): object => ({
  containerStatuses: [{ name: "c", image: "", imageID: "", ready: false, restartCount: 0, state, ...more }],
});

const CASES = [
  { name: "ready", pod: pod({ conditions: [{ type: "Ready", status: "True" }] }), want: undefined },
  { name: "on its way out", pod: pod({}, { deletionTimestamp: "2026-01-01T00:00:00Z" }), want: undefined },
  {
    name: "no node",
    pod: pod({ conditions: [{ type: "PodScheduled", status: "False", message: "0/2 nodes fit" }] }),
    want: "no node takes it: 0/2 nodes fit",
  },
  {
    name: "no image",
    pod: pod(container({ waiting: { reason: "ImagePullBackOff", message: "no such image x" } })),
    want: "container c: ImagePullBackOff: no such image x",
  },
  {
    name: "crash loop",
    pod: pod(
      container(
        { waiting: { reason: "CrashLoopBackOff" } },
        { restartCount: 3, lastState: { terminated: { exitCode: 2 } } },
      ),
    ),
    want: "container c: CrashLoopBackOff, ended with exit code 2",
    log: "c",
  },
  {
    name: "ended",
    pod: pod(container({ terminated: { exitCode: 1 } })),
    want: "container c: ended with exit code 1",
    log: "c",
  },
  {
    name: "probe fails",
    pod: pod(container({ running: {} })),
    events: [
      event({ uid: "u" }, "Old"),
      event({ uid: "u" }, "Unhealthy", "2026-01-01T00:00:01Z"),
      event({ uid: "other" }, "X", "2027-01-01T00:00:00Z"),
    ],
    want: "container c: Unhealthy: said",
    log: "c",
  },
  {
    name: "a volume is missing",
    pod: pod(container({ waiting: { reason: "ContainerCreating" } })),
    events: [
      event({ uid: "u" }, "FailedMount"),
      event({ uid: "u" }, "Pulled", "2027-01-01T00:00:00Z", "Normal"),
    ],
    want: "container c: FailedMount: said",
  },
  {
    name: "it started late",
    pod: pod(container({ running: {} })),
    events: [event({ uid: "u" }, "FailedMount")],
    want: "container c: it runs, and is not ready",
    log: "c",
  },
  { name: "no status yet", pod: pod({}), want: "it has not been started yet" },
] as const;
for (const row of CASES) {
  test(`troubleOf: ${row.name}`, () => {
    const got = troubleOf(row.pod, "events" in row ? row.events : []);
    assert.deepEqual([got?.problem, got?.container], [row.want, "log" in row ? row.log : undefined]);
    if (got !== undefined) assert.equal(got.pod, "pod p on n");
  });
}

test("workloadWarning: of the workload or of its replica set, not of its pods or of others", () => {
  const events = [
    event({ kind: "Pod", name: "istiod-abc" }, "Pod"),
    event({ kind: "ReplicaSet", name: "istio-cni" }, "Other"),
    event({ kind: "ReplicaSet", name: "istiod-abc" }, "FailedCreate"),
  ];
  assert.equal(workloadWarning("istiod", events), "FailedCreate: said");
  assert.equal(workloadWarning("ztunnel", events), undefined);
});
