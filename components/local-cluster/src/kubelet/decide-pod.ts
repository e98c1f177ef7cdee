/** What to do next for a pod: a function of its spec, of what runs, and of the time. Pure; the kubelet performs the actions. */

import type { Pod } from "@meltemi/kubernetes";
import type { Container, PodSpec } from "./container/types.ts";
import { type ContainerState, containerState, type PodRuntime } from "./pod-runtime.ts";

export type PodAction =
  | { readonly kind: "makeSandbox" }
  | { readonly kind: "start"; readonly container: Container }
  | { readonly kind: "stop"; readonly container: Container; readonly why: string }
  /** Everything of the pod but its logs goes; with `forget`, the API is told that it is gone. */
  | { readonly kind: "tearDown"; readonly forget: boolean };

export interface PodDecision {
  readonly actions: readonly PodAction[];
  /** When to decide again although nothing happens. */
  readonly wakeAtMs: number | undefined;
}

const NOTHING: PodDecision = { actions: [], wakeAtMs: undefined };

/** `gone` says that the object is no longer in the API. */
export function decidePod(pod: Pod, runtime: PodRuntime, gone: boolean, nowMs: number): PodDecision {
  const spec = pod.spec ?? { containers: [] };
  if (gone || pod.metadata?.deletionTimestamp !== undefined) return decideEnd(spec, runtime, true, "deleted");
  if (isFinished(pod.status?.phase) || phaseIsOver(spec, runtime))
    return decideEnd(spec, runtime, false, "finished");
  if (runtime.sandbox.kind !== "ready") {
    const notBeforeMs = runtime.sandbox.kind === "failed" ? runtime.sandbox.notBeforeMs : 0;
    if (notBeforeMs > nowMs) return { actions: [], wakeAtMs: notBeforeMs };
    return { actions: [{ kind: "makeSandbox" }], wakeAtMs: undefined };
  }
  return decideContainers(spec, runtime, nowMs);
}

function isFinished(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** All containers ended and none may be started again. */
export function phaseIsOver(spec: PodSpec, runtime: PodRuntime): boolean {
  const init = (spec.initContainers ?? []).filter((container) => !isSidecar(container));
  if (init.some((container) => endedForGood(spec, containerState(runtime, container.name), true)))
    return true;
  return (
    spec.containers.length > 0 &&
    spec.containers.every((container) => endedForGood(spec, containerState(runtime, container.name), false))
  );
}

/** For an init container only a failure is an end of the pod. */
function endedForGood(spec: PodSpec, state: ContainerState, init: boolean): boolean {
  if (state.run.kind !== "exited") return false;
  const policy = spec.restartPolicy ?? "Always";
  if (init) return state.run.exitCode !== 0 && policy === "Never";
  return policy === "Never" || (policy === "OnFailure" && state.run.exitCode === 0);
}

function decideEnd(spec: PodSpec, runtime: PodRuntime, forget: boolean, why: string): PodDecision {
  const running = allContainers(spec).filter((container) => isRunning(runtime, container));
  const stops = running
    .filter((container) => !isStopping(runtime, container))
    .map((container): PodAction => ({ kind: "stop", container, why }));
  if (running.length > 0) return { actions: stops, wakeAtMs: undefined };
  if (!forget && runtime.sandbox.kind === "absent") return NOTHING;
  return { actions: [{ kind: "tearDown", forget }], wakeAtMs: undefined };
}

function decideContainers(spec: PodSpec, runtime: PodRuntime, nowMs: number): PodDecision {
  const decisions: PodDecision[] = [];
  for (const container of spec.initContainers ?? []) {
    const state = containerState(runtime, container.name);
    decisions.push(decideOne(spec, container, state, nowMs, !isSidecar(container)));
    if (!initIsDone(container, state)) return merge(decisions);
  }
  for (const container of spec.containers)
    decisions.push(decideOne(spec, container, containerState(runtime, container.name), nowMs, false));
  return merge(decisions);
}

function decideOne(
  spec: PodSpec,
  container: Container,
  state: ContainerState,
  nowMs: number,
  once: boolean,
): PodDecision {
  if (state.run.kind === "running") {
    if (state.unhealthy === undefined || state.run.stopping) return NOTHING;
    return { actions: [{ kind: "stop", container, why: state.unhealthy }], wakeAtMs: undefined };
  }
  if (state.run.kind === "exited") {
    if (once && state.run.exitCode === 0) return NOTHING;
    if (!isSidecar(container) && endedForGood(spec, state, once)) return NOTHING;
  }
  if (state.notBeforeMs > nowMs) return { actions: [], wakeAtMs: state.notBeforeMs };
  return { actions: [{ kind: "start", container }], wakeAtMs: undefined };
}

/** Whether the next container may be started. */
function initIsDone(container: Container, state: ContainerState): boolean {
  if (isSidecar(container)) return state.run.kind === "running" && state.started;
  return state.run.kind === "exited" && state.run.exitCode === 0;
}

/** An init container that runs beside the others (`restartPolicy: Always`). */
export function isSidecar(container: Container): boolean {
  return (container as { readonly restartPolicy?: string }).restartPolicy === "Always";
}

export function allContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function isRunning(runtime: PodRuntime, container: Container): boolean {
  return containerState(runtime, container.name).run.kind === "running";
}

function isStopping(runtime: PodRuntime, container: Container): boolean {
  const { run } = containerState(runtime, container.name);
  return run.kind === "running" && run.stopping;
}

function merge(decisions: readonly PodDecision[]): PodDecision {
  const times = decisions.flatMap((decision) => (decision.wakeAtMs === undefined ? [] : [decision.wakeAtMs]));
  return {
    actions: decisions.flatMap((decision) => decision.actions),
    wakeAtMs: times.length === 0 ? undefined : Math.min(...times),
  };
}
