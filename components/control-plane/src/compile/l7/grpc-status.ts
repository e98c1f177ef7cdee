/** Status codes of gRPC (https://grpc.io/docs/guides/status-codes/): by name or by number. */

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
];

/** Undefined for what is neither. */
export function grpcStatusCode(text: string): number | undefined {
  const code = /^\d{1,2}$/.test(text) ? Number(text) : NAMES.indexOf(text.toUpperCase());
  return code >= 0 && code < NAMES.length ? code : undefined;
}
