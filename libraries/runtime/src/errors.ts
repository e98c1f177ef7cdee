/**
 * The one error class of the mesh. A refusal by policy is a result, never an error; this is for what went wrong.
 * The message says the action, the value and what was expected; `code` is for programs, `cause` keeps what lies beneath.
 */

/** Closed list of codes; a new kind of fault gets a new code, so that `switch (error.code)` stays honest. */
export type ErrorCode =
  | "CONFIG_INVALID"
  | "INPUT_INVALID"
  | "LIMIT_EXCEEDED"
  | "PROTOCOL_VIOLATION"
  | "PEER_REFUSED"
  | "IDENTITY_INVALID"
  | "UNAVAILABLE"
  | "TIMEOUT"
  | "ABORTED"
  | "NOT_FOUND"
  | "CONFLICT"
  | "FORBIDDEN"
  | "KERNEL"
  | "UNSUPPORTED";

export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly code: ErrorCode;
  /** Typed facts for whoever handles the error: never secrets, never raw network bytes. */
  readonly details: Readonly<Record<string, string | number | boolean>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly details?: Readonly<Record<string, string | number | boolean>>;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Text of anything thrown, with the chain of causes, on one line. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  // A cause chain longer than this is a loop or noise.
  for (let depth = 0; current !== undefined && depth < 5; depth++) {
    parts.push(current instanceof Error ? current.message : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ");
}
