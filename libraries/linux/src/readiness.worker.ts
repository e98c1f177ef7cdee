/**
 * Thread body of {@link ./readiness.ts}: blocks in poll(2) on descriptors that Node's loop cannot watch, and tells the main thread
 * once when one is ready. It never reads or writes them.
 */

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { kernelError } from "./failure.ts";
import { fixedMemory, lastErrno, libc } from "./libc.ts";
import type { ReadinessCommand, ReadinessData } from "./readiness.ts";

const POLLIN = 1;
const POLLFD_BYTES = 8;
const EINTR = 4;

const { wakeFd, commands } = workerData as ReadinessData;

interface Watch {
  readonly fd: number;
  readonly events: number;
}

function run(port: MessagePort): void {
  const watches = new Map<number, Watch>();
  for (;;) {
    const tokens = [...watches.keys()];
    const table = fixedMemory((tokens.length + 1) * POLLFD_BYTES);
    table.writeInt32LE(wakeFd, 0);
    table.writeInt16LE(POLLIN, 4);
    for (const [index, watch] of [...watches.values()].entries()) {
      table.writeInt32LE(watch.fd, (index + 1) * POLLFD_BYTES);
      table.writeInt16LE(watch.events, (index + 1) * POLLFD_BYTES + 4);
    }
    if (libc.poll(table, tokens.length + 1, -1) < 0) {
      const errno = lastErrno();
      if (errno === EINTR) continue;
      throw kernelError("poll descriptors", errno);
    }
    for (const [index, token] of tokens.entries()) {
      // Errors and hang-ups count as ready: the owner learns of them from its own read or write.
      if (table.readInt16LE((index + 1) * POLLFD_BYTES + 6) === 0) continue;
      watches.delete(token);
      port.postMessage(token);
    }
    if (table.readInt16LE(6) !== 0 && !obey(port, watches)) return;
  }
}

/** Takes every waiting command; false when told to stop. */
function obey(port: MessagePort, watches: Map<number, Watch>): boolean {
  libc.read(wakeFd, fixedMemory(8), 8);
  for (;;) {
    const command = receiveMessageOnPort(port)?.message as ReadinessCommand | undefined;
    if (command === undefined) return true;
    switch (command.kind) {
      case "watch":
        watches.set(command.token, command);
        break;
      case "forget":
        watches.delete(command.token);
        break;
      case "stop":
        return false;
    }
  }
}

run(commands);
commands.close();
