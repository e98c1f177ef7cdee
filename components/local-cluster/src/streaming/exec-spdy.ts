/** `kubectl exec` and `attach` over SPDY (v4.channel.k8s.io): one stream for each of input, outputs, terminal size and the end. */

import type { Duplex, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Clock, MeshError } from "@meltemi/runtime";
import { type ExecRequest, endStatus } from "./channel-protocol.ts";
import type { ContainerProcess } from "./exec-session.ts";
import { type SpdyStream, serveSpdy } from "./spdy/connection.ts";

/** The kubelet's own: clients open all streams at once. */
const STREAMS_TIMEOUT_MS = 30_000;
/** How long a client may take to close once it was told the end. */
const CLOSE_DEADLINE_MS = 5000;

/** Runs to the end of the process; a client that goes away ends the process. Rejects after what is not SPDY. */
export async function execOverSpdy(
  transport: Duplex,
  process: ContainerProcess,
  request: ExecRequest,
  clock: Clock,
): Promise<void> {
  const wanted = streamTypes(request);
  const streams = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const served = serveSpdy(transport, (stream) => {
    const type = stream.headers.get("streamtype") ?? "";
    if (!wanted.has(type) || streams.has(type)) return `unexpected stream type ${JSON.stringify(type)}`;
    streams.set(type, stream);
    if (streams.size === wanted.size) complete.resolve();
    return undefined;
  });
  const late = clock.after(STREAMS_TIMEOUT_MS, () =>
    complete.reject(
      new MeshError("PROTOCOL_VIOLATION", "exec: timed out waiting for client to create streams"),
    ),
  );
  try {
    // Whatever ends the connection ends the rest: also while streams are still missing.
    await Promise.race([complete.promise, served]);
    late.cancel();
    if (streams.size < wanted.size) return;
    await Promise.race([runStreams(streams, process, request), served]);
    const cut = clock.after(CLOSE_DEADLINE_MS, () => transport.destroy());
    await served.catch(() => {});
    cut.cancel();
  } finally {
    late.cancel();
    process.kill();
    transport.destroy();
  }
}

export function streamTypes(request: ExecRequest): ReadonlySet<string> {
  const types = [
    ["error", true],
    ["stdin", request.stdin],
    ["stdout", request.stdout],
    // A terminal has one output.
    ["stderr", request.stderr && !request.tty],
    ["resize", request.tty],
  ] as const;
  return new Set(types.filter(([, isWanted]) => isWanted).map(([type]) => type));
}

async function runStreams(
  streams: ReadonlyMap<string, SpdyStream>,
  process: ContainerProcess,
  request: ExecRequest,
): Promise<void> {
  const errors = streams.get("error");
  errors?.resume();
  streams.get("resize")?.resume();
  // The command may end before it has read its input; how it ended is told by `ended`.
  process.stdin.on("error", () => {});
  const input = streams.get("stdin");
  if (input !== undefined) void pipeline(input, process.stdin).catch(() => input.resume());
  // A terminal whose input ends is hung up: a command that only writes would lose it.
  else if (!request.tty) process.stdin.end();
  await Promise.all([
    copy(process.stdout, streams.get("stdout")),
    copy(process.stderr, streams.get("stderr")),
  ]);
  errors?.end(JSON.stringify(endStatus(await process.ended)));
}

/** Reads what nobody asked for, so that the process is never held up by it. */
async function copy(output: Readable, stream: (Writable & Readable) | undefined): Promise<void> {
  stream?.resume();
  if (stream === undefined) output.resume();
  // A client that went away ends the process, which ends the rest.
  else await pipeline(output, stream, { end: true }).catch(() => output.resume());
}
