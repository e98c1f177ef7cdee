/** `kubectl exec`: upgrades the request to a WebSocket and joins it with a process that the kubelet starts. */

import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "@meltemi/runtime";
import { describeError } from "@meltemi/runtime";
import { WebSocketServer } from "ws";
import { EXEC_SUBPROTOCOLS, type ExecRequest, readExecRequest } from "../streaming/channel-protocol.ts";
import { type ContainerProcess, runExecSession } from "../streaming/exec-session.ts";
import { errorAnswer } from "./http/respond.ts";
import { parseTarget } from "./http/target.ts";
import { type Authorize, refuseUnless } from "./identity/attempt.ts";
import type { Authenticator } from "./identity/authenticate.ts";
import type { KubeObject } from "./kube-object.ts";
import { chooseContainer } from "./pod-logs.ts";
import { badRequest, noSuchPath, notFound, Refusal } from "./refusal.ts";

/** Finds a running container, and says how to start a command in it; throws a MeshError when no such container runs. */
export type PodExec = (namespace: string, pod: string, container: string) => StartCommand;

export type StartCommand = (request: ExecRequest) => ContainerProcess;

export interface ExecUpgradeDeps {
  readonly authenticate: Authenticator;
  readonly authorize: Authorize;
  readonly podExec: PodExec;
  readonly findPod: (namespace: string, name: string) => KubeObject | undefined;
  readonly logger: Logger;
}

/** One message of a client: kubectl sends standard input in 32 KiB pieces. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Commands that run at the same time; each is a handful of processes. */
const MAX_SESSIONS = 128;

export interface ExecUpgrade {
  /** Listener of a server's `upgrade` event. Whatever is refused is answered as any other request is. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Cuts the connections, which ends their commands. */
  close(): void;
}

export function createExecUpgrade(deps: ExecUpgradeDeps): ExecUpgrade {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => EXEC_SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  });
  const open = new Set<Duplex>();
  return {
    upgrade(request, socket, head) {
      try {
        if (open.size >= MAX_SESSIONS)
          throw new Refusal(
            429,
            "TooManyRequests",
            `exec: ${MAX_SESSIONS} commands run already; try again later`,
          );
        const started = start(deps, request);
        open.add(socket);
        // Also when the handshake fails: then there never is a session that would end the command.
        socket.once("close", () => {
          open.delete(socket);
          started.process.kill();
        });
        sockets.handleUpgrade(request, socket, head, (webSocket) => {
          runExecSession(webSocket, started.process, started.request).catch((error: unknown) => {
            deps.logger.warn("exec session failed", { error: describeError(error) });
            webSocket.terminate();
          });
        });
      } catch (error) {
        refuse(socket, error);
      }
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

function start(
  deps: ExecUpgradeDeps,
  request: IncomingMessage,
): { readonly process: ContainerProcess; readonly request: ExecRequest } {
  const user = deps.authenticate(request);
  const url = new URL(request.url ?? "/", "https://api-server");
  const target = parseTarget(url.pathname);
  if (target?.kind !== "resource" || target.plural !== "pods" || target.subresource !== "exec")
    throw noSuchPath();
  const { namespace = "", name = "" } = target;
  // A WebSocket begins with a GET, but what it does is no reading.
  const attempt = { group: "", resource: "pods", subresource: "exec", namespace, name };
  refuseUnless(deps.authorize, { ...attempt, kind: "resource", user, verb: "create" });
  const read = readExecRequest(url.searchParams);
  if (read.kind === "bad") throw badRequest(`exec: ${read.why}`);
  const pod = deps.findPod(namespace, name);
  if (pod === undefined) throw notFound({ group: "", resource: "pods", name });
  const container = chooseContainer(pod, read.request.container ?? "");
  const startCommand = orRefuse(() => deps.podExec(namespace, name, container));
  // Last, because kubectl tries SPDY after any refusal, and shows the answer to that.
  const offered = request.headers["sec-websocket-protocol"] ?? "";
  if (!EXEC_SUBPROTOCOLS.some((name) => offered.includes(name)))
    throw badRequest(
      `exec: expected a WebSocket of ${EXEC_SUBPROTOCOLS.join(" or ")}, got ${JSON.stringify(offered)}`,
    );
  return { process: orRefuse(() => startCommand(read.request)), request: read.request };
}

function orRefuse<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw badRequest(`exec: ${describeError(error)}`);
  }
}

function refuse(socket: Duplex, error: unknown): void {
  const { code, contentType, body } = errorAnswer(error);
  socket.on("error", () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ""}`,
      `content-type: ${contentType}`,
      `content-length: ${Buffer.byteLength(body ?? "")}`,
      "connection: close",
      "",
      body ?? "",
    ].join("\r\n"),
  );
}
