/** `kubectl attach`: joins a client to a container's own process, from now on. */

import { PassThrough, Writable } from "node:stream";
import type { ExecRequest } from "../streaming/channel-protocol.ts";
import type { ContainerProcess as OpenProcess } from "../streaming/exec-session.ts";
import type { InputWriter } from "./container/container-input.ts";
import type { ContainerLog } from "./logs/container-log.ts";

/** Output that may wait for an attached client. The container is not held up for its sake: it loses its connection instead. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Both outputs come as one: they share a pipe. The end of `kill` is the client's, not the container's. */
export function attachContainer(
  log: ContainerLog,
  input: InputWriter | undefined,
  request: Pick<ExecRequest, "stdin">,
): OpenProcess {
  const ended = Promise.withResolvers<
    { kind: "exited"; code: number } | { kind: "failed"; message: string }
  >();
  const stdout = new PassThrough();
  const stopListening = log.onOutput((chunk) => {
    if (stdout.writableLength <= MAX_WAITING_BYTES) {
      stdout.write(chunk);
      return;
    }
    detach({ kind: "failed", message: "attach: the client reads too slowly" });
  });
  const stdin = request.stdin && input !== undefined ? input.attach() : nowhere();

  function detach(end: { kind: "exited"; code: number } | { kind: "failed"; message: string }): void {
    stopListening();
    stdout.end();
    stdin.end();
    ended.resolve(end);
  }

  // How the container ended is asked for elsewhere: of a connection to it there is nothing wrong.
  void log.finished.then(() => detach({ kind: "exited", code: 0 }));
  return {
    stdin,
    stdout,
    stderr: new PassThrough().end(),
    ended: ended.promise,
    kill: () => detach({ kind: "exited", code: 0 }),
  };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
