/** One way, as fast as it goes. */

import { once } from "node:events";
import type { Socket } from "node:net";
import { openConnection } from "./load-socket.ts";
import type { LoadCommand, LoadReply } from "./messages.ts";
import { patternAt, WRITE_BYTES } from "./pattern.ts";

/** Gbit/s from the first write to the last stream's answer that all has arrived. */
export async function measureBulk(
  command: Extract<LoadCommand, { kind: "bulk" }>,
): Promise<Omit<LoadReply, "cpuSeconds">> {
  const { target, streams, bytes } = command;
  const each = Math.floor(bytes / streams);
  const sockets = await Promise.all(Array.from({ length: streams }, () => openConnection(target)));
  const startMs = performance.now();
  const results = await Promise.all(sockets.map((socket) => push(socket, each)));
  const seconds = (performance.now() - startMs) / 1000;
  return {
    correct: results.every((right) => right),
    opened: streams,
    rate: (each * streams * 8) / 1e9 / seconds,
  };
}

async function push(socket: Socket, bytes: number): Promise<boolean> {
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  const ended = once(socket, "end");
  for (let at = 0; at < bytes; at += WRITE_BYTES)
    if (!socket.write(patternAt(at, Math.min(WRITE_BYTES, bytes - at)))) await once(socket, "drain");
  socket.end();
  await ended;
  const heard = JSON.parse(answer) as { readonly bytes: number; readonly right: boolean };
  return heard.bytes === bytes && heard.right;
}
