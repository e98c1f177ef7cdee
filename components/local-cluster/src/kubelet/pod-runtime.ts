/** What the kubelet knows of a pod on its node: plain data, so that decisions and status are functions of it. */

type ContainerRun =
  /** Not started yet, or waiting to be started again. */
  | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
  | { readonly kind: "running"; readonly startedAtMs: number; readonly stopping: boolean }
  | ContainerEnd;

export interface ContainerEnd {
  readonly kind: "exited";
  readonly exitCode: number;
  /** When it never ran: why not. */
  readonly startError?: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
}

export interface ContainerState {
  readonly run: ContainerRun;
  /** The run before, as `lastState` and `kubectl logs --previous` know it. */
  readonly previous: ContainerEnd | undefined;
  /** Runs so far; the number of the current one's log. */
  readonly attempt: number;
  /** Failures to start or ends in a row, for the back-off. */
  readonly failures: number;
  /** Not to be started before, on the wall clock. */
  readonly notBeforeMs: number;
  /** No startup probe, or it succeeded. */
  readonly started: boolean;
  /** No readiness probe, or it succeeds. */
  readonly ready: boolean;
  /** Liveness or startup probe failed for good: to be restarted. */
  readonly unhealthy: string | undefined;
}

export const NEW_CONTAINER: ContainerState = {
  run: { kind: "waiting", reason: "PodInitializing" },
  previous: undefined,
  attempt: 0,
  failures: 0,
  notBeforeMs: 0,
  started: false,
  ready: false,
  unhealthy: undefined,
};

export type Sandbox =
  | { readonly kind: "absent" }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly failures: number;
      readonly notBeforeMs: number;
    }
  | { readonly kind: "ready"; readonly podIps: readonly string[] };

export interface PodRuntime {
  readonly sandbox: Sandbox;
  readonly containers: ReadonlyMap<string, ContainerState>;
  /** When the kubelet first saw the pod. */
  readonly seenAtMs: number;
}

export function containerState(runtime: PodRuntime, name: string): ContainerState {
  return runtime.containers.get(name) ?? NEW_CONTAINER;
}
