/**
 * Messages of the API server's WebSockets: one byte of channel, then that channel's bytes (subprotocols v4.channel.k8s.io and
 * v5.channel.k8s.io, https://kubernetes.io/docs/reference/using-api/api-concepts/). Decoding only.
 */

export type StreamFrame =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  /** For people; not the end. */
  | { readonly kind: "diagnostic"; readonly text: string }
  /** The last one. */
  | { readonly kind: "end"; readonly failure: string | undefined }
  | { readonly kind: "nothing" }
  | { readonly kind: "bad"; readonly why: string };

export type FrameReader = (message: Buffer) => StreamFrame;

/** First byte of every message that goes to the server: its bytes are the standard input, or those of the first port. */
export const INPUT_CHANNEL = 0;

const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;

/** `pods/exec`: output, errors, and a Status in the end. */
export function readExecFrame(message: Buffer): StreamFrame {
  const bytes = message.subarray(1);
  switch (message[0]) {
    case STDOUT:
      return bytes.length === 0 ? { kind: "nothing" } : { kind: "bytes", bytes };
    case STDERR:
      return { kind: "diagnostic", text: bytes.toString("utf8") };
    case STATUS:
      return { kind: "end", failure: failureOf(bytes.toString("utf8")) };
    default:
      return { kind: "bad", why: `expected channel 1, 2 or 3, got ${message[0] ?? "an empty message"}` };
  }
}

/** Undefined: the command ended with 0. */
function failureOf(text: string): string | undefined {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === "object" && status !== null && "status" in status) {
      if (status.status === "Success") return undefined;
      if ("message" in status && typeof status.message === "string" && status.message !== "")
        return status.message;
    }
  } catch {
    // An API server before 1.15 sends plain text: that is the message.
  }
  return text === "" ? "the command failed" : text;
}

/** Bytes of the number of the port that begin each channel. */
const PORT_BYTES = 2;
const DATA = 0;
const ERROR = 1;

/** `pods/portforward` of one port: its bytes, and what went wrong. Each channel begins with the port's number. */
export function createForwardReader(): FrameReader {
  const begun = new Set<number>();
  return (message) => {
    const channel = message[0];
    if (channel !== DATA && channel !== ERROR)
      return { kind: "bad", why: `expected channel 0 or 1, got ${channel ?? "an empty message"}` };
    if (!begun.has(channel)) {
      if (message.length !== 1 + PORT_BYTES)
        return { kind: "bad", why: `expected the port's number to begin channel ${channel}` };
      begun.add(channel);
      return { kind: "nothing" };
    }
    const bytes = message.subarray(1);
    if (channel === ERROR) return { kind: "end", failure: bytes.toString("utf8") || "the port failed" };
    return bytes.length === 0 ? { kind: "nothing" } : { kind: "bytes", bytes };
  };
}
