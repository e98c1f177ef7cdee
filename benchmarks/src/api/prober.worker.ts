/** The client in a pod: new connections without end, each with one request. Argument: path of the socket to be told by. */

import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { machineMs, type Probe, type ProbeCommand, type ProbeReport, type Target } from "./messages.ts";

const PATH = process.argv[2] ?? "";
/** What has no answer by then is lost. */
const ANSWER_DEADLINE_MS = 5_000;
/** Reports are gathered this long: a report each would cost more than the connection. */
const REPORT_EVERY_MS = 5;
/** The answers have 200 bytes; a page of errors has less than this. */
const MAX_ANSWER_BYTES = 64 * 1024;

let commands = 0;

const server = createServer((socket) => {
  socket.on("error", () => undefined);
  // Nobody listens any more.
  socket.on("close", () => {
    commands++;
  });
  createInterface({ input: socket }).on("line", (line) => begin(JSON.parse(line) as ProbeCommand, socket));
});
rmSync(PATH, { force: true });
server.listen(PATH);
process.on("SIGTERM", () => process.exit(0));

function begin({ targets, everyMs }: ProbeCommand, socket: Socket): void {
  const command = ++commands;
  let waiting: Probe[] = [];
  const report = (probe: Probe): void => {
    waiting.push(probe);
    if (waiting.length > 1) return;
    setTimeout(() => {
      socket.write(`${JSON.stringify({ command, probes: waiting } satisfies ProbeReport)}\n`);
      waiting = [];
    }, REPORT_EVERY_MS);
  };
  targets.forEach(async (target, at) => {
    // Spread over the interval: a hundred connections at once would wait for each other.
    await delay((everyMs * at) / targets.length);
    while (commands === command) {
      const startedMs = machineMs();
      report({ target: at, startedMs, ...(await exchange(target)), endedMs: machineMs() });
      await delay(Math.max(0, startedMs + everyMs - machineMs()));
    }
  });
}

function exchange({ address, port, host }: Target): Promise<Pick<Probe, "localPort" | "outcome">> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    let localPort = 0;
    let answer = "";
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ localPort, outcome });
    };
    const timer = setTimeout(() => end("no answer in time"), ANSWER_DEADLINE_MS);
    socket.setEncoding("latin1");
    socket.once("connect", () => {
      localPort = socket.localPort ?? 0;
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.on("data", (text: string) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) end("an answer without end");
    });
    socket.once("end", () => end(outcomeOf(answer)));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // At any time: a proxy accepts before it decides, and looks again at what is open when a policy changes.
      const closed = error.code === "ECONNRESET" || error.code === "EPIPE";
      end(closed ? "closed" : (error.code ?? error.message));
    });
  });
}

/** An answer counts when all of its body is there and right. */
function outcomeOf(answer: string): string {
  if (answer === "") return "closed";
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? "no HTTP";
  const mark = /^x-bench: (.*)$/im.exec(head)?.[1] ?? "";
  return status !== "200" || rest.join("") === "meltemi\n" ? `${status} ${mark}` : "wrong bytes";
}
