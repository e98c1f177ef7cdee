import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "@meltemi/kubernetes";
import type { PodSpec } from "./container/types.ts";
import { decidePod } from "./decide-pod.ts";
import { type ContainerState, NEW_CONTAINER, type PodRuntime, type Sandbox } from "./pod-runtime.ts";
import { podStatus } from "./pod-status.ts";

const NOW_MS = 1_000_000;
const ready: Sandbox = { kind: "ready", podIps: ["10.244.1.2", "fd00::2"] };

const running = (changes: Partial<ContainerState> = {}): ContainerState => ({
  ...NEW_CONTAINER,
  run: { kind: "running", startedAtMs: NOW_MS - 1000, stopping: false },
  attempt: 1,
  started: true,
  ready: true,
  ...changes,
});
const exited = (exitCode: number, changes: Partial<ContainerState> = {}): ContainerState => ({
  ...NEW_CONTAINER,
  run: { kind: "exited", exitCode, startedAtMs: NOW_MS - 2000, finishedAtMs: NOW_MS - 1000 },
  attempt: 1,
  ...changes,
});

interface Case {
  readonly name: string;
  readonly spec?: Partial<PodSpec>;
  readonly metadata?: Pod["metadata"];
  readonly phase?: string;
  readonly gone?: boolean;
  readonly sandbox?: Sandbox;
  readonly containers?: Readonly<Record<string, ContainerState>>;
  /** `kind` or `kind container`, in order. */
  readonly actions: readonly string[];
  readonly wakeAtMs?: number;
  /** Phase that the status shows in this state. */
  readonly shows?: string;
}

const init = { initContainers: [{ name: "i1" }, { name: "i2" }] };
const sidecar = {
  initContainers: [{ name: "proxy", restartPolicy: "Always" }],
} as unknown as Partial<PodSpec>;

const cases: readonly Case[] = [
  {
    name: "a new pod needs a sandbox",
    sandbox: { kind: "absent" },
    actions: ["makeSandbox"],
    shows: "Pending",
  },
  {
    name: "a failed sandbox waits",
    sandbox: { kind: "failed", message: "", failures: 1, notBeforeMs: NOW_MS + 500 },
    actions: [],
    wakeAtMs: NOW_MS + 500,
    shows: "Pending",
  },
  {
    name: "a failed sandbox is tried again",
    sandbox: { kind: "failed", message: "", failures: 1, notBeforeMs: NOW_MS },
    actions: ["makeSandbox"],
  },
  { name: "containers start together", spec: two(), actions: ["start a", "start b"], shows: "Pending" },
  { name: "a running pod needs nothing", containers: { a: running() }, actions: [], shows: "Running" },
  { name: "init containers come one after the other", spec: init, actions: ["start i1"], shows: "Pending" },
  { name: "the second after the first", spec: init, containers: { i1: exited(0) }, actions: ["start i2"] },
  {
    name: "the containers after all",
    spec: init,
    containers: { i1: exited(0), i2: exited(0) },
    actions: ["start a"],
  },
  { name: "a running init container is waited for", spec: init, containers: { i1: running() }, actions: [] },
  {
    name: "a failed init container is started again after its delay",
    spec: init,
    containers: { i1: exited(1, { notBeforeMs: NOW_MS + 9 }) },
    actions: [],
    wakeAtMs: NOW_MS + 9,
    shows: "Pending",
  },
  {
    name: "a failed init container ends a pod that never restarts",
    spec: { ...init, restartPolicy: "Never" },
    containers: { i1: exited(1) },
    actions: ["tearDown"],
    shows: "Failed",
  },
  {
    name: "a sidecar holds the others until it started",
    spec: sidecar,
    containers: { proxy: running({ started: false }) },
    actions: [],
  },
  {
    name: "a sidecar runs beside the others",
    spec: sidecar,
    containers: { proxy: running() },
    actions: ["start a"],
  },
  {
    name: "an ended sidecar is started again",
    spec: sidecar,
    containers: { proxy: exited(0), a: running() },
    actions: ["start proxy"],
  },
  {
    name: "an ended container is started again",
    containers: { a: exited(0) },
    actions: ["start a"],
    shows: "Running",
  },
  {
    name: "not before its delay",
    containers: { a: exited(1, { notBeforeMs: NOW_MS + 7 }) },
    actions: [],
    wakeAtMs: NOW_MS + 7,
    shows: "Running",
  },
  {
    name: "OnFailure starts a failed one again",
    spec: { restartPolicy: "OnFailure" },
    containers: { a: exited(1) },
    actions: ["start a"],
  },
  {
    name: "OnFailure is content with success",
    spec: { restartPolicy: "OnFailure" },
    containers: { a: exited(0) },
    actions: ["tearDown"],
    shows: "Succeeded",
  },
  {
    name: "Never leaves a failed one",
    spec: { restartPolicy: "Never" },
    containers: { a: exited(2) },
    actions: ["tearDown"],
    shows: "Failed",
  },
  {
    name: "one of two that ended does not end the pod",
    spec: { ...two(), restartPolicy: "Never" },
    containers: { a: exited(0), b: running() },
    actions: [],
    shows: "Running",
  },
  {
    name: "a finished pod stays finished when the kubelet comes back",
    phase: "Succeeded",
    sandbox: { kind: "absent" },
    actions: [],
    shows: "Succeeded",
  },
  {
    name: "an unhealthy container is stopped",
    containers: { a: running({ unhealthy: "liveness" }) },
    actions: ["stop a"],
  },
  {
    name: "but only once",
    containers: { a: running({ unhealthy: "x", run: { kind: "running", startedAtMs: 0, stopping: true } }) },
    actions: [],
  },
  {
    name: "a deleted pod is stopped",
    metadata: { deletionTimestamp: "now" },
    containers: { a: running() },
    actions: ["stop a"],
  },
  {
    name: "a deleted pod that has stopped goes",
    metadata: { deletionTimestamp: "now" },
    containers: { a: exited(0) },
    actions: ["tearDown forget"],
  },
  {
    name: "a deleted pod that never began goes",
    metadata: { deletionTimestamp: "now" },
    sandbox: { kind: "absent" },
    actions: ["tearDown forget"],
  },
  {
    name: "a pod that the API forgot is stopped",
    gone: true,
    containers: { a: running() },
    actions: ["stop a"],
  },
  { name: "and then goes", gone: true, containers: { a: exited(0) }, actions: ["tearDown forget"] },
];

function two(): Partial<PodSpec> {
  return { containers: [{ name: "a" }, { name: "b" }] };
}

for (const c of cases)
  test(`decidePod: ${c.name}`, () => {
    const pod: Pod = {
      metadata: c.metadata ?? {},
      spec: { containers: [{ name: "a" }], ...c.spec },
      ...(c.phase === undefined ? {} : { status: { phase: c.phase } }),
    };
    const runtime: PodRuntime = {
      sandbox: c.sandbox ?? ready,
      containers: new Map(Object.entries(c.containers ?? {})),
      seenAtMs: NOW_MS,
    };
    const { actions, wakeAtMs } = decidePod(pod, runtime, c.gone === true, NOW_MS);
    const words = actions.map((action) =>
      action.kind === "start" || action.kind === "stop"
        ? `${action.kind} ${action.container.name}`
        : action.kind === "tearDown" && action.forget
          ? "tearDown forget"
          : action.kind,
    );
    assert.deepEqual(words, c.actions);
    assert.equal(wakeAtMs, c.wakeAtMs);
    if (c.shows !== undefined)
      assert.equal(podStatus({ pod, runtime, hostIps: ["10.240.0.11"], nowMs: NOW_MS }).phase, c.shows);
  });

const statusOf = (state: ContainerState, before: Pod["status"] = {}, spec: Partial<PodSpec> = {}) =>
  podStatus({
    pod: {
      metadata: { uid: "u" },
      spec: { containers: [{ name: "a", image: "host" }], ...spec },
      status: before,
    },
    runtime: { sandbox: ready, containers: new Map([["a", state]]), seenAtMs: NOW_MS },
    hostIps: ["10.240.0.11", "fd00::b"],
    nowMs: NOW_MS,
  });

test("podStatus: a ready pod", () => {
  const status = statusOf(running());
  assert.deepEqual(
    [status.podIP, status.hostIP, status.qosClass],
    ["10.244.1.2", "10.240.0.11", "BestEffort"],
  );
  assert.deepEqual(new Set(status.conditions?.map(({ status: value }) => value)), new Set(["True"]));
  const [container] = status.containerStatuses ?? [];
  assert.deepEqual([container?.ready, container?.started, container?.restartCount], [true, true, 0]);
  assert.equal(container?.containerID, "meltemi://u-a-1");
});

test("podStatus: back-off shows the last end and why it waits", () => {
  const [container] =
    statusOf(exited(3, { attempt: 4, notBeforeMs: NOW_MS + 20_000 })).containerStatuses ?? [];
  assert.equal(container?.state?.waiting?.reason, "CrashLoopBackOff");
  assert.equal(container?.lastState?.terminated?.exitCode, 3);
  assert.equal(container?.restartCount, 3);
});

test("podStatus: a program that could not be started", () => {
  const run = {
    kind: "exited",
    exitCode: 128,
    startError: "exec: no",
    startedAtMs: NOW_MS,
    finishedAtMs: NOW_MS,
  } as const;
  const [container] = statusOf(exited(128, { run })).containerStatuses ?? [];
  const { reason, message, exitCode } = container?.state?.terminated ?? {};
  assert.deepEqual([reason, message, exitCode], ["StartError", "exec: no", 128]);
});

test("podStatus: a container that is not ready, and a gate that is shut, keep the pod from being ready", () => {
  const condition = (status: ReturnType<typeof statusOf>, type: string) =>
    status.conditions?.find((candidate) => candidate.type === type);
  const unready = condition(statusOf(running({ ready: false })), "Ready");
  assert.deepEqual([unready?.status, unready?.reason], ["False", "ContainersNotReady"]);
  assert.match(unready?.message ?? "", /unready status: \[a\]/);
  const spec = { readinessGates: [{ conditionType: "mesh/open" }] };
  assert.equal(condition(statusOf(running(), {}, spec), "Ready")?.reason, "ReadinessGatesNotReady");
  const open = { conditions: [{ type: "mesh/open", status: "True" }] };
  const status = statusOf(running(), open, spec);
  assert.equal(condition(status, "Ready")?.status, "True");
  assert.equal(condition(status, "mesh/open")?.status, "True", "conditions of others stay");
});

test("podStatus: a condition keeps its time while it does not change", () => {
  const before = {
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2020-01-01T00:00:00Z" }],
  };
  const time = (state: ContainerState) =>
    statusOf(state, before).conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  assert.equal(time(running()), "2020-01-01T00:00:00Z");
  assert.equal(time(running({ ready: false })), "1970-01-01T00:16:40Z");
});
