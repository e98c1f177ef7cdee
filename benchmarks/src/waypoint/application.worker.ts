/**
 * The application behind every proxy of the waypoint benchmark, HTTP/1.1: one fixed answer per port, by bare system calls, because
 * it takes its CPU time from the same two cores. Says `ready` when it listens.
 */

import { createTcpListener } from "@meltemi/linux";
import { acceptRaw, PollSet, readRaw, type Watched, writeRaw } from "../l4/raw-sockets.ts";
import { ANSWER_HEADERS, APPLICATION_PORTS, BODY, VERSION_HEADER, type Version } from "./traffic.ts";

/** Connections of all proxies' pools together. */
const MAX_CONNECTIONS = 2000;
/** Between two looks at the channel to the parent. */
const TURN_MS = 200;
const HEAD_END = "\r\n\r\n";
const HEAD_BYTES = 16 * 1024;

const open = new PollSet(MAX_CONNECTIONS + 2);

class Connection implements Watched {
  readonly fd: number;
  readonly #answer: Buffer;
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  #received = 0;

  constructor(fd: number, answer: Buffer) {
    this.fd = fd;
    this.#answer = answer;
  }

  /** No request has a body, and none comes before the last was answered. */
  onReady(): void {
    try {
      const length = readRaw(this.fd, this.#head, this.#received);
      this.#received += length;
      if (length === 0) open.close(this);
      else if (this.#head.toString("latin1", this.#received - 4, this.#received) === HEAD_END) {
        this.#received = 0;
        writeRaw(this.fd, this.#answer);
      }
    } catch {
      // Reset by the proxy, whose client will miss an answer.
      open.close(this);
    }
  }
}

function listen(version: Version): void {
  const fields = [...ANSWER_HEADERS, [VERSION_HEADER, version], ["content-length", String(BODY.length)]];
  const head = `HTTP/1.1 200 OK\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const answer = Buffer.concat([Buffer.from(head), BODY]);
  const { fd } = createTcpListener({
    address: { ip: "127.0.0.1", port: APPLICATION_PORTS[version] },
    backlog: 4096,
  });
  const onReady = (): void => {
    while (open.size < MAX_CONNECTIONS) {
      const accepted = acceptRaw(fd);
      if (accepted === undefined) return;
      open.add(new Connection(accepted, answer), "readable");
    }
  };
  open.add({ fd, onReady }, "readable");
}

function serve(): void {
  const endMs = performance.now() + TURN_MS;
  while (performance.now() < endMs) open.turn(TURN_MS);
  setImmediate(serve);
}

listen("v1");
listen("v2");
process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" }, () => serve());
