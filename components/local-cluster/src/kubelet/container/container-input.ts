/** Standard input of a container that asked for one (`stdin: true`): a FIFO that `kubectl attach` writes into. */

import { closeSync, constants, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { PassThrough, type Writable } from "node:stream";
import { runProgram } from "../../network/run-program.ts";

export interface ContainerInput {
  /** For the container's first process; closed here once that has it. */
  readonly childFd: number;
  readonly writer: InputWriter;
}

export interface InputWriter {
  /** An attached client's way in. Its end ends the container's input only with `stdinOnce`. */
  attach(): Writable;
  close(): void;
}

/**
 * Makes the FIFO. Without `stdinOnce` the container holds a writer of its own, so that its input survives clients and kubelets;
 * with it, this kubelet holds the only one. Throws a system error.
 */
export async function makeContainerInput(fifo: string, stdinOnce: boolean): Promise<ContainerInput> {
  await rm(fifo, { force: true });
  await runProgram("mkfifo", ["-m", "0600", fifo]);
  // Opened for both, a FIFO waits for nobody; after it, neither do the other two.
  const both = openSync(fifo, constants.O_RDWR);
  try {
    const childFd = openSync(fifo, stdinOnce ? constants.O_RDONLY : constants.O_RDWR);
    return { childFd, writer: openInputWriter(fifo, stdinOnce) };
  } finally {
    closeSync(both);
  }
}

/** Of a container that runs already. Throws ENXIO when it has closed its input. */
export function openInputWriter(fifo: string, stdinOnce: boolean): InputWriter {
  const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: false, writable: true });
  // The container ended: how is told elsewhere.
  socket.on("error", () => socket.destroy());
  return {
    attach() {
      const way = new PassThrough();
      way.on("error", () => {});
      way.pipe(socket, { end: stdinOnce });
      socket.once("close", () => way.destroy());
      return way;
    },
    close: () => socket.destroy(),
  };
}
