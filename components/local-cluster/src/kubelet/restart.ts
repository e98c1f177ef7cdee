/** What a container's end, or its failure to start, means for its next run. Pure but for the clock it is given. */

import type { Pod } from "@meltemi/kubernetes";
import { type BackoffOptions, type Clock, describeError, MeshError } from "@meltemi/runtime";
import { type ContainerExit, PROGRAM_REFUSED } from "./container/container-process.ts";
import type { Container } from "./container/types.ts";
import type { ContainerState } from "./pod-runtime.ts";

export interface RestartContext {
  readonly clock: Clock;
  readonly restartBackoff: BackoffOptions;
}

/** A run of this length clears the back-off (reference: Kubernetes, "container restarts"). */
const RESET_AFTER_MS = 10 * 60_000;

/** Delay before the next start: the first one comes at once, then the base, doubling up to the maximum. */
export function restartDelayMs(options: BackoffOptions, failures: number): number {
  if (failures <= 1) return 0;
  return Math.min(options.maxMs, options.baseMs * 2 ** Math.min(failures - 2, 30));
}

export function afterStart(
  state: ContainerState,
  container: Container,
  attempt: number,
  startedAtMs: number,
): ContainerState {
  return {
    ...state,
    run: { kind: "running", startedAtMs, stopping: false },
    previous: state.run.kind === "exited" ? state.run : state.previous,
    attempt,
    started: container.startupProbe === undefined,
    ready: container.readinessProbe === undefined,
    unhealthy: undefined,
  };
}

export function afterEnd(
  state: ContainerState,
  exit: ContainerExit,
  context: RestartContext,
): ContainerState {
  const startedAtMs = state.run.kind === "running" ? state.run.startedAtMs : exit.finishedAtMs;
  const failures = exit.finishedAtMs - startedAtMs >= RESET_AFTER_MS ? 1 : state.failures + 1;
  return {
    ...state,
    run: { kind: "exited", exitCode: exit.exitCode, startedAtMs, finishedAtMs: exit.finishedAtMs },
    failures,
    notBeforeMs: exit.finishedAtMs + restartDelayMs(context.restartBackoff, failures),
    started: false,
    ready: false,
    unhealthy: undefined,
  };
}

export interface FailedStart {
  readonly state: ContainerState;
  readonly event: { readonly reason: string; readonly message: string };
}

/** Exit code of a run whose program could not be started, as other runtimes give it. */
const START_ERROR_CODE = 128;

/** The reasons are the kubelet's own: people search for them. `attempt` is the number of the run that was tried. */
export function afterFailedStart(
  state: ContainerState,
  error: unknown,
  attempt: number,
  context: RestartContext,
): FailedStart {
  const message = describeError(error);
  const reason = failureReason(error, message);
  const failures = state.failures + 1;
  const nowMs = context.clock.nowMs();
  const delayMs = restartDelayMs(context.restartBackoff, failures);
  const event = { reason: "Failed", message: `Error: ${reason}: ${message}` };
  if (!isProgramRefused(error, message))
    return {
      state: {
        ...state,
        run: { kind: "waiting", reason, message },
        failures,
        notBeforeMs: nowMs + Math.max(context.restartBackoff.baseMs, delayMs),
      },
      event,
    };
  // The container was made, and its program was not there: that is a run, with an end.
  const times = { startedAtMs: nowMs, finishedAtMs: nowMs };
  return {
    state: {
      ...state,
      failures,
      notBeforeMs: nowMs + delayMs,
      run: { kind: "exited", exitCode: START_ERROR_CODE, startError: message, ...times },
      previous: state.run.kind === "exited" ? state.run : state.previous,
      attempt,
    },
    event,
  };
}

function failureReason(error: unknown, message: string): string {
  const code = error instanceof MeshError ? error.code : undefined;
  if (code === "NOT_FOUND" && message.startsWith("image ")) return "ErrImagePull";
  if (isProgramRefused(error, message)) return "RunContainerError";
  return code === "NOT_FOUND" || code === "INPUT_INVALID"
    ? "CreateContainerConfigError"
    : "RunContainerError";
}

function isProgramRefused(error: unknown, message: string): boolean {
  return error instanceof MeshError && error.code === "NOT_FOUND" && message.startsWith(PROGRAM_REFUSED);
}

const DEFAULT_GRACE_SECONDS = 30;

/** How long a container may take to end: as deleted, as its failed probe says, or as the pod says. */
export function stopGraceMs(pod: Pod, container: Container, unhealthy: boolean): number {
  const own = pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const probe = container.livenessProbe?.terminationGracePeriodSeconds;
  const deleted = pod.metadata?.deletionGracePeriodSeconds;
  return (deleted ?? (unhealthy ? probe : undefined) ?? own) * 1000;
}
