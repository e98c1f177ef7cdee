/** Listens for the plugin on `pluginevent.sock`. Every answer but 200 makes the pod's sandbox fail, to be tried again. */

import { once } from "node:events";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { describeError, type Logger } from "@meltemi/runtime";
import { type CniEvent, parseCniEvent } from "./cni-event.ts";

export interface EventServer {
  close(): Promise<void>;
}

/** A pod's name, path and addresses. */
const MAX_BODY_BYTES = 16 * 1024;
/** The plugin gives up after 5 s. */
const REQUEST_TIMEOUT_MS = 5_000;
/** As many sandboxes as a kubelet makes at once, and more. */
const MAX_CONNECTIONS = 256;

/** `add` resolves when the pod is in the mesh or need not be; its rejection is the plugin's error. */
export async function startEventServer(
  runFolder: string,
  add: (event: CniEvent) => Promise<void>,
  log: Logger,
): Promise<EventServer> {
  const path = join(runFolder, "pluginevent.sock");
  mkdirSync(runFolder, { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { "content-type": "text/plain" }).end(text);
    };
    handle(request, add).then(
      ({ status, text }) => answer(status, text),
      (error: unknown) => {
        log.warn("pod was not added", { why: describeError(error) });
        answer(500, describeError(error));
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
  return {
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function handle(
  request: IncomingMessage,
  add: (event: CniEvent) => Promise<void>,
): Promise<{ readonly status: number; readonly text: string }> {
  if (request.method !== "POST" || request.url !== "/cmdadd")
    return { status: 404, text: "expected POST /cmdadd" };
  const body = await readBody(request);
  if (body === undefined) return { status: 413, text: `expected at most ${MAX_BODY_BYTES} bytes` };
  const parsed = parseCniEvent(body);
  if (parsed.kind === "bad") return { status: 400, text: parsed.why };
  await add(parsed.event);
  return { status: 200, text: "" };
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
