/** As many connections at once as are wanted. */

import type { Socket } from "node:net";
import { openConnection } from "./load-socket.ts";
import { type LoadCommand, type LoadReply, MESSAGE_BYTES } from "./messages.ts";
import { matchesPattern, patternAt } from "./pattern.ts";

/** Connections being opened at a time while many are to be held. */
const OPENING = 32;
/** Every so many held connections carry one more exchange before all are closed. */
const CHECK_EVERY = 20;

const held: Socket[] = [];

function exchange(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let right = true;
    const onData = (chunk: Buffer): void => {
      right &&= matchesPattern(chunk, bytes);
      bytes += chunk.length;
      if (bytes < MESSAGE_BYTES.small) return;
      socket.off("data", onData);
      socket.off("error", reject);
      socket.resume();
      resolve(right && bytes === MESSAGE_BYTES.small);
    };
    socket.on("data", onData);
    socket.once("error", reject);
    socket.write(patternAt(0, MESSAGE_BYTES.small));
  });
}

export async function holdConnections(
  command: Extract<LoadCommand, { kind: "hold" }>,
): Promise<Omit<LoadReply, "cpuSeconds">> {
  let wanted = command.count;
  let correct = true;
  const lane = async (): Promise<void> => {
    while (wanted-- > 0) {
      const socket = await openConnection(command.target);
      correct = (await exchange(socket)) && correct;
      held.push(socket);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, lane));
  return { correct, opened: command.count };
}

export async function releaseConnections(): Promise<Omit<LoadReply, "cpuSeconds">> {
  let correct = held.every((socket) => !socket.destroyed && !socket.readableEnded);
  for (let at = 0; at < held.length; at += CHECK_EVERY) {
    const socket = held[at];
    if (socket !== undefined) correct = (await exchange(socket)) && correct;
  }
  for (const socket of held.splice(0)) socket.destroy();
  return { correct, opened: 0 };
}
