/**
 * When an informer lists, watches and waits. Pure: the driver performs the effects and feeds back what came of them.
 * There is no terminal state but `stopped`: whatever goes wrong, another try is scheduled.
 */

import { unreachable } from "@meltemi/runtime";

export type InformerState =
  | { readonly kind: "new" }
  /** `attempt` counts failures in a row since the last sign of life. */
  | { readonly kind: "listing"; readonly attempt: number }
  | {
      readonly kind: "watching";
      readonly resourceVersion: string;
      readonly attempt: number;
      /** Something arrived on this watch: a server that ends it now may be asked again at once. */
      readonly heard: boolean;
    }
  /** Waiting for the next try: a watch from `resourceVersion`, or a list when there is none. */
  | { readonly kind: "waiting"; readonly attempt: number; readonly resourceVersion?: string }
  | { readonly kind: "stopped" };

export type InformerEvent =
  | { readonly kind: "start" }
  | { readonly kind: "listed"; readonly resourceVersion: string }
  | { readonly kind: "listFailed" }
  | { readonly kind: "heard"; readonly resourceVersion: string }
  /** The watch ended. `gone`: its resource version is too old, only a list helps. `lasted`: it was open for long enough to count as success. */
  | {
      readonly kind: "watchEnded";
      readonly how: "clean" | "failed" | "gone" | "silent";
      readonly lasted: boolean;
    }
  | { readonly kind: "retryDue" }
  | { readonly kind: "stop" };

export type InformerEffect =
  | { readonly kind: "list" }
  | { readonly kind: "watch"; readonly resourceVersion: string }
  /** Feed `retryDue` after the back-off of this attempt. */
  | { readonly kind: "wait"; readonly attempt: number }
  /** End whatever runs: list, watch or timer. */
  | { readonly kind: "cancel" };

export interface InformerStep {
  readonly state: InformerState;
  readonly effects: readonly InformerEffect[];
}

/** An event that does not belong to the state is late news of something cancelled, and changes nothing. */
export function stepInformer(state: InformerState, event: InformerEvent): InformerStep {
  if (event.kind === "stop") {
    const effects: InformerEffect[] = state.kind === "stopped" ? [] : [{ kind: "cancel" }];
    return { state: { kind: "stopped" }, effects };
  }
  switch (state.kind) {
    case "new":
      return event.kind === "start" ? list(0) : unchanged(state);
    case "listing":
      if (event.kind === "listed") return watch(event.resourceVersion, state.attempt);
      return event.kind === "listFailed" ? wait(state.attempt) : unchanged(state);
    case "watching":
      return stepWatching(state, event);
    case "waiting":
      if (event.kind !== "retryDue") return unchanged(state);
      return state.resourceVersion === undefined
        ? list(state.attempt)
        : watch(state.resourceVersion, state.attempt);
    case "stopped":
      return unchanged(state);
    default:
      return unreachable(state);
  }
}

function stepWatching(state: InformerState & { kind: "watching" }, event: InformerEvent): InformerStep {
  const { resourceVersion } = state;
  if (event.kind === "heard")
    return {
      state: { kind: "watching", resourceVersion: event.resourceVersion, attempt: 0, heard: true },
      effects: [],
    };
  if (event.kind !== "watchEnded") return unchanged(state);
  // A quiet kind may see neither change nor bookmark for a whole watch: that is no failure.
  const alive = state.heard || event.lasted;
  const attempt = alive ? 0 : state.attempt;
  switch (event.how) {
    case "gone":
      // A server whose lists are older than its watch window would loop: back off from the second time on.
      return alive ? list(1) : wait(attempt);
    case "clean":
      return alive ? watch(resourceVersion, 0) : wait(attempt, resourceVersion);
    case "failed":
    case "silent":
      return wait(attempt, resourceVersion);
    default:
      return unreachable(event.how);
  }
}

function unchanged(state: InformerState): InformerStep {
  return { state, effects: [] };
}

function list(attempt: number): InformerStep {
  return { state: { kind: "listing", attempt }, effects: [{ kind: "list" }] };
}

function watch(resourceVersion: string, attempt: number): InformerStep {
  return {
    state: { kind: "watching", resourceVersion, attempt, heard: false },
    effects: [{ kind: "watch", resourceVersion }],
  };
}

function wait(attempt: number, resourceVersion?: string): InformerStep {
  return {
    state: {
      kind: "waiting",
      attempt: attempt + 1,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    effects: [{ kind: "wait", attempt }],
  };
}
