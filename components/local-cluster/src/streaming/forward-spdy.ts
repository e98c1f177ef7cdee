/** `kubectl port-forward` over SPDY: any number of connections, each a pair of streams, one for data and one for errors. */

import type { Duplex } from "node:stream";
import type { Clock, Timer } from "@meltemi/runtime";
import { type ForwardedPod, forwardPort } from "./forward-port.ts";
import { type SpdyStream, serveSpdy } from "./spdy/connection.ts";

/** The kubelet's own: the second stream of a pair follows the first at once. */
const PAIR_TIMEOUT_MS = 30_000;

interface Pair {
  readonly data: SpdyStream | undefined;
  readonly error: SpdyStream | undefined;
  readonly timer: Timer;
}

/** Serves until the client goes. Rejects with PROTOCOL_VIOLATION after what is not SPDY. */
export async function forwardOverSpdy(transport: Duplex, pod: ForwardedPod, clock: Clock): Promise<void> {
  const pairs = new Map<string, Pair>();

  function timeOut(request: string): void {
    const pair = pairs.get(request);
    pairs.delete(request);
    pair?.error?.end(`request ${request}: timed out waiting for streams`);
    pair?.data?.destroy();
  }

  function add(stream: SpdyStream, role: "data" | "error"): void {
    const request = requestOf(stream, role);
    const known = pairs.get(request);
    if (known?.[role] !== undefined) {
      known.error?.end(`error processing stream for request ${request}: ${role} stream already assigned`);
      stream.destroy();
      return;
    }
    const timer = known?.timer ?? clock.after(PAIR_TIMEOUT_MS, () => timeOut(request));
    const data = role === "data" ? stream : known?.data;
    const error = role === "error" ? stream : known?.error;
    if (data === undefined || error === undefined) {
      pairs.set(request, { data, error, timer });
      return;
    }
    pairs.delete(request);
    timer.cancel();
    void forwardPort(pod, Number(data.headers.get("port")), data, error);
  }

  try {
    await serveSpdy(transport, (stream) => {
      const refusal = refusalOf(stream.headers);
      if (refusal !== undefined) return refusal;
      const isData = stream.headers.get("streamtype") === "data";
      // Clients write nothing to the error stream; its end must be read for it to close.
      if (!isData) stream.resume();
      add(stream, isData ? "data" : "error");
      return undefined;
    });
  } finally {
    for (const { timer } of pairs.values()) timer.cancel();
  }
}

/** Why a stream with these headers is none of a forwarded port, in the kubelet's words. */
export function refusalOf(headers: ReadonlyMap<string, string>): string | undefined {
  const port = headers.get("port") ?? "";
  if (port === "") return '"port" header is required';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    return `unable to parse ${JSON.stringify(port)} as a port`;
  if (Number(port) < 1) return `port ${JSON.stringify(port)} must be > 0`;
  const type = headers.get("streamtype") ?? "";
  if (type === "") return '"streamType" header is required';
  return type === "data" || type === "error" ? undefined : `invalid stream type ${JSON.stringify(type)}`;
}

/** Clients before 1.5 give no request a number: they open the data stream right after the error stream. */
function requestOf(stream: SpdyStream, role: "data" | "error"): string {
  const given = stream.headers.get("requestid") ?? "";
  if (given !== "") return given;
  return String(role === "error" ? stream.streamId : stream.streamId - 2);
}
