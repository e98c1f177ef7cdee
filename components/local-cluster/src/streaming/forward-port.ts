/** One forwarded connection: a client's stream on one side, a TCP connection to a port of the pod on the other. */

import type { Duplex, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describeError } from "@meltemi/runtime";

/** Connects to `port` of the pod's loopback. Rejects with what went wrong. */
export type DialPort = (port: number, signal: AbortSignal) => Promise<Duplex>;

export interface ForwardedPod {
  /** As messages name it: `<name>_<namespace>`. */
  readonly label: string;
  readonly uid: string;
  readonly dial: DialPort;
}

/** Longer than any answer of a loopback takes; a full backlog drops what would be answered. */
const DIAL_TIMEOUT_MS = 10_000;

/**
 * Joins `data` and the port until both directions are at their end; each is half-closed alone. What goes wrong in the pod is
 * written to `error`, in the kubelet's words; a client that goes away is nobody's fault, and kubectl gives up all its connections
 * when it reads an error. Ends both streams in every case: the client waits for that. Never rejects.
 */
export async function forwardPort(
  pod: ForwardedPod,
  port: number,
  data: Duplex,
  error: Writable,
): Promise<void> {
  const failure = await joined(pod, port, data);
  if (failure === undefined) error.end();
  else error.end(`error forwarding port ${port} to pod ${pod.label}, uid ${pod.uid}: ${failure}`);
  // Not reset: a client that is about to read the error still opens its streams.
  data.end();
  data.resume();
}

async function joined(pod: ForwardedPod, port: number, data: Duplex): Promise<string | undefined> {
  const client = new AbortController();
  data.once("error", () => client.abort());
  data.once("close", () => client.abort());
  let socket: Duplex;
  try {
    const signal = AbortSignal.any([client.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
    socket = await pod.dial(port, signal);
  } catch (error) {
    return client.signal.aborted
      ? undefined
      : `failed to connect to localhost:${port} inside the pod: ${describeError(error)}`;
  }
  let socketError: unknown;
  socket.once("error", (error) => {
    // One that comes of the client's end is passed on from there.
    if (!client.signal.aborted) socketError = error;
  });
  try {
    await Promise.all([pipeline(data, socket), pipeline(socket, data)]);
  } catch {
    // Told by whoever failed first.
  }
  socket.destroy();
  return socketError === undefined ? undefined : describeError(socketError);
}
