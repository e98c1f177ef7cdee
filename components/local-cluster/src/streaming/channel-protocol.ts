/**
 * The frames of `kubectl exec` over WebSocket: one byte of channel, then that channel's bytes
 * (subprotocols v4.channel.k8s.io and v5.channel.k8s.io; v5 adds a frame that closes standard input).
 */

export const EXEC_SUBPROTOCOLS: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export type ClientFrame =
  | { readonly kind: "stdin"; readonly bytes: Buffer }
  | { readonly kind: "close-stdin" }
  | { readonly kind: "resize" }
  | { readonly kind: "bad"; readonly why: string };

/** Reads one binary message of the client. The bytes are a view of the message. */
export function readClientFrame(message: Buffer): ClientFrame {
  const channel = message[0];
  if (channel === STDIN) return { kind: "stdin", bytes: message.subarray(1) };
  if (channel === RESIZE) return { kind: "resize" };
  if (channel === CLOSE && message.length === 2 && message[1] === STDIN) return { kind: "close-stdin" };
  return {
    kind: "bad",
    why: `expected channel ${STDIN}, ${RESIZE} or ${CLOSE}, got ${channel ?? "an empty message"}`,
  };
}

export function outputFrame(stream: "stdout" | "stderr", bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(stream === "stdout" ? STDOUT : STDERR), bytes]);
}

export type ExecEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "failed"; readonly message: string };

/** The last frame. */
export function endFrame(end: ExecEnd): Buffer {
  return Buffer.concat([Buffer.of(ERROR), Buffer.from(JSON.stringify(endStatus(end)))]);
}

/** The Status that tells kubectl how the command ended. */
export function endStatus(end: ExecEnd): object {
  if (end.kind === "failed")
    return { metadata: {}, status: "Failure", message: end.message, reason: "InternalError", code: 500 };
  if (end.code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${end.code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(end.code) }] },
  };
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly container: string | undefined;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Longest command line taken: the kernel's own limit for one argument. */
const MAX_COMMAND_CHARACTERS = 128 * 1024;

export type ExecRequestResult =
  | { readonly kind: "ok"; readonly request: ExecRequest }
  | { readonly kind: "bad"; readonly why: string };

/** Reads the query of `…/pods/<pod>/exec`. */
export function readExecRequest(query: URLSearchParams): ExecRequestResult {
  if (query.getAll("command").length === 0)
    return { kind: "bad", why: "expected at least one `command`, got none" };
  return readAttachRequest(query);
}

/** Reads the query of `…/pods/<pod>/attach`: the same without a command. */
export function readAttachRequest(query: URLSearchParams): ExecRequestResult {
  const command = query.getAll("command");
  const length = command.reduce((sum, word) => sum + word.length, 0);
  if (length > MAX_COMMAND_CHARACTERS)
    return {
      kind: "bad",
      why: `expected a command of at most ${MAX_COMMAND_CHARACTERS} characters, got ${length}`,
    };
  const flag = (name: string): boolean => ["true", "1"].includes(query.get(name) ?? "");
  return {
    kind: "ok",
    request: {
      command,
      container: query.get("container") ?? undefined,
      stdin: flag("stdin"),
      stdout: flag("stdout"),
      stderr: flag("stderr"),
      tty: flag("tty"),
    },
  };
}
