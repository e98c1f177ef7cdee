/** Answers of the API server that are not a success, as errors. */

import { type ErrorCode, MeshError } from "@meltemi/runtime";

/** `metav1.Status` as far as it is read here. */
export interface KubernetesStatus {
  readonly code: number;
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Expired`, …; empty when the answer was not a Status. */
  readonly reason: string;
  readonly message: string;
}

/** A message longer than this is cut: it ends in logs. */
const MESSAGE_LIMIT = 2048;

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "INPUT_INVALID",
  401: "FORBIDDEN",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "UNSUPPORTED",
  408: "TIMEOUT",
  409: "CONFLICT",
  410: "CONFLICT",
  413: "LIMIT_EXCEEDED",
  415: "UNSUPPORTED",
  422: "INPUT_INVALID",
  504: "TIMEOUT",
};

/** Reads a Status out of an answer's body or a watch's ERROR event; whatever it is not becomes its text. */
export function parseStatus(httpStatus: number, body: unknown): KubernetesStatus {
  const fields: Readonly<Record<string, unknown>> =
    typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const text = (name: string): string => (typeof fields[name] === "string" ? fields[name] : "");
  const message = text("message") || (typeof body === "string" ? body : "");
  return {
    code: typeof fields["code"] === "number" ? fields["code"] : httpStatus,
    reason: text("reason"),
    message: message.slice(0, MESSAGE_LIMIT),
  };
}

/** `action` says what was tried and on what: `create pods default/a`. */
export function statusError(action: string, status: KubernetesStatus): MeshError {
  const code =
    CODES[status.code] ?? (status.code >= 500 || status.code === 429 ? "UNAVAILABLE" : "PEER_REFUSED");
  const why = [status.reason, status.message].filter((part) => part !== "").join(": ");
  return new MeshError(code, `${action}: HTTP ${status.code}${why === "" ? "" : ` ${why}`}`, {
    details: { status: status.code, reason: status.reason },
  });
}

/** HTTP status and Kubernetes reason of an error made here; undefined for any other. */
export function statusOf(error: unknown): { readonly code: number; readonly reason: string } | undefined {
  if (!(error instanceof MeshError)) return undefined;
  const { status, reason } = error.details;
  return typeof status === "number"
    ? { code: status, reason: typeof reason === "string" ? reason : "" }
    : undefined;
}

/** The object was not there. */
export function isNotFound(error: unknown): boolean {
  return statusOf(error)?.code === 404;
}

/** Somebody else changed the object first: read it again and retry. */
export function isConflict(error: unknown): boolean {
  const status = statusOf(error);
  return status?.code === 409 && status.reason !== "AlreadyExists";
}

export function isAlreadyExists(error: unknown): boolean {
  const status = statusOf(error);
  return status?.code === 409 && status.reason === "AlreadyExists";
}

/** The resource version or continue token is too old: list again. */
export function isGone(error: unknown): boolean {
  return statusOf(error)?.code === 410;
}
