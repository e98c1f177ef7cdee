/**
 * When to connect, and how long to wait after a stream ended: the life of the client's connection as a pure machine.
 * What flows inside an open stream is in ledger.ts (reference: protocol §3.1).
 */

import { type BackoffOptions, backoffMs, unreachable } from "@meltemi/runtime";

/** Label values of `istio_xds_connection_terminations_total`. */
export type TerminationReason = "Reconnect" | "ConnectionError" | "Error" | "Complete";

export type ConnectionState =
  | { readonly kind: "idle" }
  | { readonly kind: "streaming"; readonly failures: number }
  | { readonly kind: "waiting"; readonly failures: number }
  | { readonly kind: "stopped" };

export type StreamEnd =
  /** No connection came about. */
  | { readonly kind: "connectionFailed"; readonly message: string }
  /** The server ended the stream in good order. */
  | { readonly kind: "completed" }
  /** `code` is a status number of gRPC. */
  | { readonly kind: "failed"; readonly code: number; readonly message: string };

export type ConnectionEvent =
  | { readonly kind: "start" }
  /** `lastedMs`: how long the stream was there. */
  | { readonly kind: "ended"; readonly end: StreamEnd; readonly lastedMs: number; readonly random: number }
  | { readonly kind: "retryDue" }
  | { readonly kind: "stop" };

export type ConnectionEffect =
  | { readonly kind: "openStream" }
  | { readonly kind: "retryAfter"; readonly delayMs: number }
  | { readonly kind: "closeStream" }
  | { readonly kind: "count"; readonly reason: TerminationReason };

export interface ConnectionStep {
  readonly state: ConnectionState;
  readonly effects: readonly ConnectionEffect[];
}

/** ztunnel's waits; the spread keeps a thousand nodes from returning in one instant after a control plane restart. */
const RECONNECT: BackoffOptions = { baseMs: 10, maxMs: 15_000, jitter: 0.2 };

/** A stream that lived as long as the longest wait was a success, whatever ended it: older failures are forgotten. */
const LASTING_STREAM_MS = RECONNECT.maxMs;

const CANCELLED = 1;
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

export const INITIAL_CONNECTION: ConnectionState = { kind: "idle" };

export function stepConnection(state: ConnectionState, event: ConnectionEvent): ConnectionStep {
  if (state.kind === "stopped") return { state, effects: [] };
  switch (event.kind) {
    case "start":
      if (state.kind !== "idle") return { state, effects: [] };
      return { state: { kind: "streaming", failures: 0 }, effects: [{ kind: "openStream" }] };
    case "retryDue":
      if (state.kind !== "waiting") return { state, effects: [] };
      return { state: { kind: "streaming", failures: state.failures }, effects: [{ kind: "openStream" }] };
    case "ended":
      if (state.kind !== "streaming") return { state, effects: [] };
      return afterStream(event.lastedMs >= LASTING_STREAM_MS ? 0 : state.failures, event.end, event.random);
    case "stop":
      return { state: { kind: "stopped" }, effects: [{ kind: "closeStream" }] };
    default:
      return unreachable(event);
  }
}

function afterStream(failures: number, end: StreamEnd, random: number): ConnectionStep {
  const reason = terminationReason(end);
  const hard = reason === "ConnectionError" || reason === "Error";
  const delayMs = backoffMs(RECONNECT, hard ? failures : 0, () => random);
  return {
    state: { kind: "waiting", failures: hard ? failures + 1 : 0 },
    effects: [
      { kind: "count", reason },
      { kind: "retryAfter", delayMs },
    ],
  };
}

function terminationReason(end: StreamEnd): TerminationReason {
  switch (end.kind) {
    case "connectionFailed":
      return "ConnectionError";
    case "completed":
      return "Complete";
    case "failed":
      return isOrdinaryEnd(end.code, end.message) ? "Reconnect" : "Error";
    default:
      return unreachable(end);
  }
}

/** Ends that a healthy server causes too (restart, connection age): they do not lengthen the wait. */
function isOrdinaryEnd(code: number, message: string): boolean {
  if (code === UNKNOWN || code === CANCELLED || code === DEADLINE_EXCEEDED) return true;
  return (
    code === UNAVAILABLE &&
    (message.includes("transport is closing") || message.includes("received prior goaway"))
  );
}
