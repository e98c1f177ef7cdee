/** The part of the application that answers one message and closes. Says `ready` when it listens. */

import { createTcpListener } from "@meltemi/linux";
import { APPLICATION_PORTS, MESSAGE_BYTES } from "./messages.ts";
import { acceptRaw, PollSet, readRaw, type Watched, writeRaw } from "./raw-sockets.ts";

/** More than any generator opens at a time; the others wait to be accepted. */
const MAX_CONNECTIONS = 1000;
/** Between two looks at the channel to the parent. */
const TURN_MS = 200;

const open = new PollSet(MAX_CONNECTIONS + 1);

class Exchange implements Watched {
  readonly fd: number;
  readonly #message = Buffer.allocUnsafe(MESSAGE_BYTES.small);
  #received = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  onReady(): void {
    try {
      const length = readRaw(this.fd, this.#message, this.#received);
      this.#received += length;
      if (this.#received === MESSAGE_BYTES.small) writeRaw(this.fd, this.#message);
      else if (length > 0) return;
    } catch {
      // Reset by who connected, who will count the answer as missing.
    }
    open.close(this);
  }
}

const { fd } = createTcpListener({ address: { ip: "::", port: APPLICATION_PORTS.once }, backlog: 4096 });
open.add(
  {
    fd,
    onReady() {
      while (open.size <= MAX_CONNECTIONS) {
        const accepted = acceptRaw(fd);
        if (accepted === undefined) return;
        open.add(new Exchange(accepted), "readable");
      }
    },
  },
  "readable",
);

function serve(): void {
  const endMs = performance.now() + TURN_MS;
  while (performance.now() < endMs) open.turn(TURN_MS);
  setImmediate(serve);
}

process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" }, () => serve());
