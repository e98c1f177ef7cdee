/** The answers that the proxy itself gives, in Envoy's words (reference: l7-and-cli §1.10 item 9). */

import type { Fault } from "@meltemi/model/l7";
import type { LocalReply } from "../request-context.ts";
import type { AttemptFailure } from "./attempt.ts";

const FAULT_BODY = "fault filter abort";
const FAULT_DETAILS = "fault_filter_abort";

function reply(status: number, body: string, flag: string, details: string): LocalReply {
  return { status, body, headers: [], flag, details };
}

export const NO_ROUTE: LocalReply = reply(404, "", "NR", "route_not_found");
export const NO_HEALTHY_UPSTREAM: LocalReply = reply(503, "no healthy upstream", "UH", "no_healthy_upstream");
export const ROUTE_TIMEOUT: LocalReply = reply(504, "upstream request timeout", "UT", "response_timeout");
export const PER_TRY_TIMEOUT: LocalReply = reply(
  504,
  "upstream request timeout",
  "UT",
  "upstream_per_try_timeout",
);
/** One direction of an upgraded stream has ended, and the other is silent. */
export const HALF_OPEN_TIMEOUT: LocalReply = reply(504, "stream timeout", "SI", "stream_idle_timeout");
/** CONNECT, as Envoy refuses it where it is not configured: no policy reads what passes behind it. */
export const CONNECT_REFUSED: LocalReply = reply(403, "", "", "upgrade_failed");
/** What was asked for cannot be served: a filter of ours broke. */
export const INTERNAL_ERROR: LocalReply = reply(500, "", "", "internal_error");
/** The configuration names a destination that it does not have. */
export const NO_CLUSTER: LocalReply = reply(503, "", "NC", "cluster_not_found");
export const OVERFLOW: LocalReply = {
  ...brokenUpstream(503, "overflow", "UO"),
  headers: [["x-envoy-overloaded", "true"]],
};
/** A part of the body came when there was no try to give it to, and could not be kept. */
export const LOST_BODY: LocalReply = brokenUpstream(503, "overflow", "UO");

export function invalidBackend(detail: string): LocalReply {
  return reply(500, "", "NC", `direct_response{${detail}}`);
}

export function unusablePath(detail: string): LocalReply {
  return reply(400, "", "", `path_normalization_failed{${detail}}`);
}

/** A gRPC status reaches a gRPC client as it is, another as the HTTP status that means the same. */
export function faultAbort(
  status: NonNullable<Fault["abort"]>["status"],
  isGrpc: boolean,
  httpStatusOf: (grpcStatus: number) => number,
): LocalReply {
  if (status.kind === "http") return reply(status.code, FAULT_BODY, "FI", FAULT_DETAILS);
  const answer = reply(httpStatusOf(status.code), FAULT_BODY, "FI", FAULT_DETAILS);
  return isGrpc ? { ...answer, headers: [["grpc-status", String(status.code)]] } : answer;
}

/** What the client hears of the last try. Nothing of addresses and certificates: that is for the log. */
export function upstreamFailure(failure: AttemptFailure): LocalReply {
  switch (failure.kind) {
    case "overflow":
      return OVERFLOW;
    case "connectFailed":
      return brokenUpstream(
        503,
        failure.failure.timedOut ? "connection timeout" : "remote connection failure",
        "UF",
      );
    case "fault":
      break;
  }
  const { fault } = failure;
  switch (fault.kind) {
    case "protocol":
      return brokenUpstream(502, "protocol error", "UPE");
    case "refused":
      return brokenUpstream(503, "remote refused stream reset", "UR");
    case "reset":
      return fault.http2Code === undefined
        ? brokenUpstream(503, "connection termination", "UC")
        : brokenUpstream(503, "remote reset", "UR");
    case "limit":
      return brokenUpstream(502, "response headers too large", "UPE");
    case "timeout":
      return brokenUpstream(503, "connection timeout", "UC");
  }
}

function brokenUpstream(status: number, reason: string, flag: string): LocalReply {
  return reply(
    status,
    `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`,
    flag,
    `upstream_reset_before_response_started{${reason.replaceAll(" ", "_")}}`,
  );
}

/** The whole story of one failure, for the access log's `upstream_transport_failure_reason`. */
export function failureDetail(failure: AttemptFailure): string {
  switch (failure.kind) {
    case "overflow":
      return "";
    case "connectFailed":
      return failure.failure.detail;
    case "fault":
      return failure.fault.detail;
  }
}
