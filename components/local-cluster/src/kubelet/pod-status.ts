/** A pod's status as the API shows it. Pure. */

import type { Pod } from "@meltemi/kubernetes";
import { timestamp } from "../timestamp.ts";
import type { Container, ContainerStatus, PodCondition, PodStatus } from "./container/types.ts";
import { isSidecar, phaseIsOver } from "./decide-pod.ts";
import { type ContainerEnd, type ContainerState, containerState, type PodRuntime } from "./pod-runtime.ts";

export interface StatusFacts {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly hostIps: readonly string[];
  /** True while a stopped container may still be started again after a delay. */
  readonly nowMs: number;
}

export function podStatus(facts: StatusFacts): PodStatus {
  const { pod, runtime, hostIps } = facts;
  const spec = pod.spec ?? { containers: [] };
  const phase = phaseOf(facts);
  const podIps =
    runtime.sandbox.kind === "ready"
      ? runtime.sandbox.podIps
      : (pod.status?.podIPs ?? []).map(({ ip = "" }) => ip);
  const init = (spec.initContainers ?? []).map((container) => statusOf(facts, container, true));
  return {
    phase,
    conditions: conditionsOf(facts, phase),
    hostIP: hostIps[0] ?? "",
    hostIPs: hostIps.map((ip) => ({ ip })),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? timestamp(runtime.seenAtMs),
    qosClass: pod.status?.qosClass ?? qosClass(spec.containers),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: spec.containers.map((container) => statusOf(facts, container, false)),
  } as PodStatus;
}

function phaseOf({ pod, runtime }: StatusFacts): string {
  const spec = pod.spec ?? { containers: [] };
  const before = pod.status?.phase;
  // An end is an end: a restarted kubelet must not bring a finished pod back to life.
  if (before === "Succeeded" || before === "Failed") return before;
  if (phaseIsOver(spec, runtime)) {
    const failed = [
      ...(spec.initContainers ?? []).filter((container) => !isSidecar(container)),
      ...spec.containers,
    ].some((container) => {
      const { run } = containerState(runtime, container.name);
      return run.kind === "exited" && run.exitCode !== 0;
    });
    return failed ? "Failed" : "Succeeded";
  }
  const everStarted = spec.containers.every(
    (container) => containerState(runtime, container.name).attempt > 0,
  );
  return initialized(facts(pod, runtime)) && everStarted ? "Running" : "Pending";
}

function facts(pod: Pod, runtime: PodRuntime): { readonly pod: Pod; readonly runtime: PodRuntime } {
  return { pod, runtime };
}

function initialized({ pod, runtime }: { readonly pod: Pod; readonly runtime: PodRuntime }): boolean {
  return (pod.spec?.initContainers ?? []).every((container) => {
    const state = containerState(runtime, container.name);
    if (isSidecar(container)) return state.attempt > 0 && state.started;
    return state.run.kind === "exited" && state.run.exitCode === 0;
  });
}

function conditionsOf(all: StatusFacts, phase: string): PodCondition[] {
  const { pod, runtime } = all;
  const containers = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])];
  const notReady = containers.filter((container) => !isReady(containerState(runtime, container.name)));
  const containersReady = notReady.length === 0 && phase === "Running";
  const gatesOpen = (pod.spec?.readinessGates ?? []).every(({ conditionType }) =>
    pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
  );
  const why =
    phase === "Succeeded" || phase === "Failed"
      ? { reason: "PodCompleted" }
      : {
          reason: "ContainersNotReady",
          message: `containers with unready status: [${notReady.map(({ name }) => name).join(" ")}]`,
        };
  const ready = containersReady && gatesOpen;
  const wanted: readonly Wanted[] = [
    { type: "PodReadyToStartContainers", status: runtime.sandbox.kind === "ready" },
    {
      type: "Initialized",
      status: initialized(all),
      reason: phase === "Succeeded" ? "PodCompleted" : undefined,
    },
    {
      type: "Ready",
      status: ready,
      ...(ready ? {} : containersReady ? { reason: "ReadinessGatesNotReady" } : why),
    },
    { type: "ContainersReady", status: containersReady, ...(containersReady ? {} : why) },
    { type: "PodScheduled", status: true },
  ];
  const own = new Set(wanted.map(({ type }) => type));
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !own.has(type));
  return [...wanted.map((condition) => withTransition(condition, all)), ...others];
}

interface Wanted {
  readonly type: string;
  readonly status: boolean;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

/** The time of the last change of `status` stays while it does not change. */
function withTransition(wanted: Wanted, { pod, nowMs }: StatusFacts): PodCondition {
  const before = pod.status?.conditions?.find(({ type }) => type === wanted.type);
  const status = wanted.status ? "True" : "False";
  const since = before?.status === status ? before.lastTransitionTime : undefined;
  return {
    type: wanted.type,
    status,
    lastProbeTime: null as unknown as string,
    lastTransitionTime: since ?? timestamp(nowMs),
    ...(wanted.reason === undefined ? {} : { reason: wanted.reason }),
    ...(wanted.message === undefined ? {} : { message: wanted.message }),
  };
}

function isReady(state: ContainerState): boolean {
  return state.run.kind === "running" && state.started && state.ready;
}

function statusOf(
  { runtime, pod, nowMs }: StatusFacts,
  container: Container,
  init: boolean,
): ContainerStatus {
  const state = containerState(runtime, container.name);
  const finishedInit =
    init && state.run.kind === "exited" && state.run.exitCode === 0 && !isSidecar(container);
  const last = lastStateOf(state, nowMs);
  return {
    name: container.name,
    image: container.image ?? "",
    imageID: container.image ?? "",
    restartCount: Math.max(0, state.attempt - 1),
    ready: finishedInit || isReady(state),
    started: state.run.kind === "running" && state.started,
    state: runState(state, nowMs),
    lastState: last === undefined ? {} : { terminated: terminated(last) },
    ...(state.attempt === 0
      ? {}
      : { containerID: `meltemi://${containerId(pod, container.name, state.attempt)}` }),
  };
}

function containerId(pod: Pod, name: string, attempt: number): string {
  return `${pod.metadata?.uid ?? ""}-${name}-${attempt}`;
}

function runState(state: ContainerState, nowMs: number): NonNullable<ContainerStatus["state"]> {
  const { run } = state;
  if (run.kind === "running") return { running: { startedAt: timestamp(run.startedAtMs) } };
  if (run.kind === "waiting")
    return {
      waiting: { reason: run.reason, ...(run.message === undefined ? {} : { message: run.message }) },
    };
  if (state.notBeforeMs > nowMs) {
    const seconds = Math.ceil((state.notBeforeMs - run.finishedAtMs) / 1000);
    return {
      waiting: { reason: "CrashLoopBackOff", message: `back-off ${seconds}s restarting failed container` },
    };
  }
  return { terminated: terminated(run) };
}

/** While a container waits in back-off, its last end is the last state, too. */
function lastStateOf(state: ContainerState, nowMs: number): ContainerEnd | undefined {
  if (state.run.kind === "exited" && state.notBeforeMs > nowMs) return state.run;
  return state.previous;
}

function terminated(end: ContainerEnd): NonNullable<NonNullable<ContainerStatus["state"]>["terminated"]> {
  return {
    exitCode: end.exitCode,
    reason: end.startError !== undefined ? "StartError" : end.exitCode === 0 ? "Completed" : "Error",
    ...(end.startError === undefined ? {} : { message: end.startError }),
    startedAt: timestamp(end.startedAtMs),
    finishedAt: timestamp(end.finishedAtMs),
  };
}

/** Reference: Kubernetes, "Pod Quality of Service Classes". */
function qosClass(containers: readonly Container[]): string {
  const resources = containers.map((container) => container.resources ?? {});
  const names = ["cpu", "memory"];
  const none = resources.every(({ limits, requests }) =>
    names.every((name) => !limits?.[name] && !requests?.[name]),
  );
  if (none) return "BestEffort";
  const full = resources.every(({ limits, requests }) =>
    names.every(
      (name) => limits?.[name] !== undefined && (requests?.[name] ?? limits[name]) === limits[name],
    ),
  );
  return full ? "Guaranteed" : "Burstable";
}
