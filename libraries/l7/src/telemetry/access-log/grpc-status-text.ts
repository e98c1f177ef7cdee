/** gRPC statuses by name (gRPC, "Status codes and their use in gRPC"). */

import type { RequestRecord } from "../../proxy/request-record.ts";
import { grpcStatus } from "../metrics/request-meter.ts";

/** By number. */
const NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** Envoy's spelling in words of one. */
const CAMEL_NAMES: readonly string[] = NAMES.map((name) =>
  name === "OK"
    ? "OK"
    : name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
);

/** Undefined for a style that does not exist. */
export function grpcStatusText(
  style: string,
): ((record: RequestRecord) => string | number | undefined) | undefined {
  switch (style) {
    case "NUMBER":
      return grpcStatus;
    case "SNAKE_STRING":
      return (record) => NAMES[grpcStatus(record) ?? -1];
    case "CAMEL_STRING":
    case "":
      return (record) => CAMEL_NAMES[grpcStatus(record) ?? -1];
    default:
      return undefined;
  }
}
