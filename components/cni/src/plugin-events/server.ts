/** Where the plugin calls: HTTP on a unix socket of the node, `POST /cmdadd` (reference: protocol §6.6). */

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { ownSocketFile, type SocketFile } from "@meltemi/linux";
import { type Clock, describeError, type Logger, MeshError } from "@meltemi/runtime";
import type { EnrolNewPod } from "./enrol-new-pod.ts";
import { parsePodEvent } from "./pod-event.ts";

export interface PluginEventServerDependencies {
  readonly enrol: EnrolNewPod;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts the answers. */
  readonly onRequest: (accepted: boolean) => void;
}

export interface PluginEventServer {
  close(): Promise<void>;
}

/** The result of a chain of plugins is a page of text. */
const MAX_BODY_BYTES = 64 * 1024;
/** A kubelet starts a few dozen sandboxes at once; who is beyond waits for the next try. */
const MAX_CONNECTIONS = 128;
/** Below the plugin's 5 s, so that it hears why. */
const ANSWER_DEADLINE_MS = 4_500;

export async function startPluginEventServer(
  path: string,
  deps: PluginEventServerDependencies,
): Promise<PluginEventServer> {
  const server = createServer(
    { requestTimeout: ANSWER_DEADLINE_MS, keepAliveTimeout: 1 },
    (request, response) => {
      answer(request, response, deps).catch((error: unknown) => {
        deps.log.warn("plugin connection failed", { error: describeError(error) });
        response.destroy();
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  mkdirSync(dirname(path), { recursive: true });
  const file = await listen(server, path);
  server.on("error", (error) =>
    deps.log.error("plugin event server failed", { error: describeError(error) }),
  );
  return {
    close: () =>
      new Promise((resolve) => {
        file.remove();
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/**
 * Listens in a folder of our own, and moves the finished socket to its place: nobody but root, which the plugin is, can reach it
 * before it has its permissions, a file left by a run that was killed is replaced, and Node, which removes the path it
 * was given when it closes, does not remove the socket of the agent that came after us.
 */
async function listen(server: Server, path: string): Promise<SocketFile> {
  const folder = mkdtempSync(join(dirname(path), ".listen-"));
  try {
    const hidden = join(folder, "s");
    await listenAt(server, hidden);
    chmodSync(hidden, 0o600);
    renameSync(hidden, path);
    return ownSocketFile(path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  deps: PluginEventServerDependencies,
): Promise<void> {
  if (request.method !== "POST" || request.url !== "/cmdadd") {
    request.resume();
    response.writeHead(404).end("expected POST /cmdadd\n");
    return;
  }
  const body = await readBody(request);
  const parsed = body === undefined ? undefined : parsePodEvent(body);
  if (parsed?.kind !== "event") {
    deps.onRequest(false);
    const why = parsed?.why ?? `body: expected at most ${MAX_BODY_BYTES} bytes`;
    response.writeHead(400, { connection: "close" }).end(`${why}\n`);
    return;
  }
  const deadline = new AbortController();
  const timer = deps.clock.after(ANSWER_DEADLINE_MS, () =>
    deadline.abort(new MeshError("TIMEOUT", `enrol the pod: not done within ${ANSWER_DEADLINE_MS} ms`)),
  );
  try {
    await withDeadline(deps.enrol(parsed.event, deadline.signal), deadline.signal);
    deps.onRequest(true);
    response.writeHead(200).end();
  } catch (error) {
    deps.onRequest(false);
    const { podName: pod, podNamespace: namespace } = parsed.event;
    deps.log.warn("refused a new pod", { pod, namespace, error: describeError(error) });
    response.writeHead(500).end(`${describeError(error)}\n`);
  } finally {
    timer.cancel();
  }
}

/** Work that outlives its answer goes on: the next try of the kubelet, or the pod's end, takes up what it leaves. */
function withDeadline(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

/** Undefined when it is too long; the rest is then not read. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
