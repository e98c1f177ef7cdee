/** One `kubectl exec`: joins a WebSocket and a process inside a container until either ends. */

import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { WebSocket } from "ws";
import {
  type ExecEnd,
  type ExecRequest,
  endFrame,
  outputFrame,
  readClientFrame,
} from "./channel-protocol.ts";

/** A process that runs in a container, started by the kubelet. */
export interface ContainerProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once the process is gone and its output is read. */
  readonly ended: Promise<ExecEnd>;
  kill(): void;
}

/** Unsent bytes above which the process's output is held until kubectl has read. */
const HIGH_WATER_BYTES = 256 * 1024;

/** How long a polite close may take before the socket is cut. */
const CLOSE_DEADLINE_MS = 5000;

/** Runs to the end of the process; a client that goes away ends the process. */
export async function runExecSession(
  socket: WebSocket,
  process: ContainerProcess,
  request: ExecRequest,
): Promise<void> {
  socket.on("message", (data, isBinary) => {
    if (isBinary && Buffer.isBuffer(data)) takeClientMessage(socket, process, data);
  });
  socket.on("close", () => process.kill());
  // The close event follows.
  socket.on("error", () => {});
  // The command may end before it has read its input; how it ended is told by `ended`.
  process.stdin.on("error", () => {});
  // A terminal whose input ends is hung up: a command that only writes would lose it.
  if (!request.stdin && !request.tty) process.stdin.end();
  await Promise.all([
    request.stdout ? sendOutput(socket, "stdout", process.stdout) : drain(process.stdout),
    request.stderr && !request.tty ? sendOutput(socket, "stderr", process.stderr) : drain(process.stderr),
  ]);
  const end = await process.ended;
  if (socket.readyState !== socket.OPEN) return;
  socket.send(endFrame(end));
  socket.close(1000);
  setTimeout(() => socket.terminate(), CLOSE_DEADLINE_MS).unref();
}

function takeClientMessage(socket: WebSocket, process: ContainerProcess, message: Buffer): void {
  const frame = readClientFrame(message);
  switch (frame.kind) {
    case "stdin":
      if (process.stdin.writable && !process.stdin.write(frame.bytes)) {
        socket.pause();
        process.stdin.once("drain", () => socket.resume());
      }
      return;
    case "close-stdin":
      process.stdin.end();
      return;
    case "resize":
      return;
    case "bad":
      socket.close(1003, frame.why);
      return;
  }
}

async function sendOutput(socket: WebSocket, stream: "stdout" | "stderr", output: Readable): Promise<void> {
  for await (const chunk of output as AsyncIterable<Buffer>) {
    if (socket.readyState !== socket.OPEN) return;
    const sent = new Promise<void>((resolve) => socket.send(outputFrame(stream, chunk), () => resolve()));
    if (socket.bufferedAmount > HIGH_WATER_BYTES) await sent;
  }
}

/** Reads what nobody asked for, so that the process is never held up by it. */
async function drain(output: Readable): Promise<void> {
  await finished(output.resume());
}
