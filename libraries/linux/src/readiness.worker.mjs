/**
 * Thread body of {@link ./readiness.ts}: blocks in poll(2) on descriptors that Node's loop cannot watch, and tells the main thread
 * once when one is ready. It never reads or writes them.
 *
 * Plain JavaScript that imports no TypeScript, for which this thread has no compiler.
 */

import { constants } from "node:os";
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import koffi from "koffi";

const POLLIN = 1;
const POLLFD_BYTES = 8;

const libc = koffi.load("libc.so.6");
const poll = libc.func("int poll(void *entries, unsigned long count, int timeoutMs)");
const read = libc.func("long read(int fd, void *bytes, size_t length)");

/** @type {import("./readiness.ts").ReadinessData} */
const { wakeFd, commands } = workerData;
/** @type {Map<number, { readonly fd: number, readonly events: number }>} By token. */
const watches = new Map();

function run() {
  for (;;) {
    const tokens = [...watches.keys()];
    const table = tableOf([{ fd: wakeFd, events: POLLIN }, ...watches.values()]);
    if (poll(table, tokens.length + 1, -1) < 0) {
      const errno = koffi.errno();
      if (errno === constants.errno.EINTR) continue;
      throw new Error(`poll descriptors: errno ${errno}`);
    }
    for (const [index, token] of tokens.entries()) {
      // Errors and hang-ups count as ready: the owner learns of them from its own read or write.
      if (happened(table, index + 1) === 0) continue;
      watches.delete(token);
      commands.postMessage(token);
    }
    if (happened(table, 0) !== 0 && !obey()) return;
  }
}

/** @param {readonly { readonly fd: number, readonly events: number }[]} entries */
function tableOf(entries) {
  const table = Buffer.alloc(entries.length * POLLFD_BYTES);
  for (const [index, { fd, events }] of entries.entries()) {
    table.writeInt32LE(fd, index * POLLFD_BYTES);
    table.writeInt16LE(events, index * POLLFD_BYTES + 4);
  }
  return table;
}

/** @param {Buffer} table @param {number} index */
function happened(table, index) {
  return table.readInt16LE(index * POLLFD_BYTES + 6);
}

/** Takes every waiting command; false when told to stop. */
function obey() {
  read(wakeFd, Buffer.alloc(8), 8);
  for (;;) {
    /** @type {import("./readiness.ts").ReadinessCommand | undefined} */
    const command = receiveMessageOnPort(commands)?.message;
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

run();
commands.close();
