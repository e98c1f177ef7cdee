/** `kubectl exec`, `attach` and `port-forward`: upgrades the request to a WebSocket or to SPDY and hands it to the pod. */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { WebSocketServer } from "ws";
import {
  type AcceptedTransport,
  chooseTransport,
  type PodSubresource,
} from "../streaming/choose-transport.ts";
import { webSocketTunnel } from "../streaming/spdy/tunnel.ts";
import { errorAnswer } from "./http/respond.ts";
import { parseTarget } from "./http/target.ts";
import type { KubeObject } from "./kube-object.ts";
import { openPodSession, type PodAccess, type PodSession } from "./pod-sessions.ts";
import { badRequest, noSuchPath, notFound, Refusal } from "./refusal.ts";

/** What a request wants of a pod; the name is not known to exist. */
export interface PodAttempt {
  readonly kind: "resource";
  readonly verb: "create";
  readonly group: "";
  readonly resource: "pods";
  readonly subresource: PodSubresource;
  readonly namespace: string;
  readonly name: string;
}

export interface PodUpgradeDeps {
  /** Who asks, and may they? @throws Refusal 401, 403 */
  readonly permit: (request: IncomingMessage, attempt: PodAttempt) => void;
  readonly access: PodAccess;
  readonly findPod: (namespace: string, name: string) => KubeObject | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** One message of a client: kubectl sends standard input in 32 KiB pieces. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Commands and forwarded pods at the same time; each is a handful of processes or connections. */
const MAX_SESSIONS = 128;
/** A client that vanished without a word holds its place no longer than this and the kernel's few probes. */
const KEEP_ALIVE_MS = 30_000;

export interface PodUpgrade {
  /** Listener of a server's `upgrade` event. Whatever is refused is answered as any other request is. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Cuts the connections, which ends their commands. */
  close(): void;
}

export function createPodUpgrade(deps: PodUpgradeDeps): PodUpgrade {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, handleProtocols });
  const open = new Set<Duplex>();

  function serve(session: Promise<void>, socket: Duplex): void {
    session.catch((error: unknown) => {
      deps.logger.warn("pod session failed", { error: describeError(error) });
      socket.destroy();
    });
  }

  function run(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    transport: AcceptedTransport,
    session: PodSession,
  ): void {
    switch (transport.kind) {
      case "channels":
        sockets.handleUpgrade(request, socket, head, (webSocket) =>
          serve(session.overChannels(webSocket), socket),
        );
        return;
      case "tunnel":
        sockets.handleUpgrade(request, socket, head, (webSocket) =>
          serve(session.overSpdy(webSocketTunnel(webSocket)), socket),
        );
        return;
      case "spdy":
        socket.write(switchingToSpdy(transport.protocol));
        if (head.length > 0) socket.unshift(head);
        serve(session.overSpdy(socket), socket);
        return;
    }
  }

  return {
    upgrade(request, socket, head) {
      try {
        if (open.size >= MAX_SESSIONS)
          throw new Refusal(429, "TooManyRequests", `${MAX_SESSIONS} sessions are open; try again later`);
        const { subresource, prepared } = prepare(deps, request);
        // Last, because kubectl tries SPDY after any refusal, and shows the answer to that.
        const transport = chooseTransport(subresource, request.headers);
        if (transport.kind === "refused") {
          const reason = transport.status === 403 ? "Forbidden" : "BadRequest";
          throw new Refusal(transport.status, reason, `${subresource}: ${transport.why}`);
        }
        const session = prepared.begin(transport.kind === "channels");
        open.add(socket);
        if (socket instanceof TLSSocket) socket.setKeepAlive(true, KEEP_ALIVE_MS);
        // Also when the handshake fails: then there never is a session that would end the command.
        socket.once("close", () => {
          open.delete(socket);
          session.abandon();
        });
        run(request, socket, head, transport, session);
      } catch (error) {
        refuse(socket, error);
      }
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** Chosen before: what is left is to find the same one. */
function handleProtocols(offered: Set<string>, request: IncomingMessage): string | false {
  const subresource = subresourceOf(parseUrl(request));
  if (subresource === undefined) return false;
  const transport = chooseTransport(subresource, request.headers);
  return transport.kind !== "refused" && offered.has(transport.protocol) ? transport.protocol : false;
}

function parseUrl(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? "/", "https://api-server");
  } catch (cause) {
    throw badRequest(`read the request's path: ${describeError(cause)}`);
  }
}

function subresourceOf(url: URL): PodSubresource | undefined {
  const target = parseTarget(url.pathname);
  if (target?.kind !== "resource" || target.plural !== "pods" || target.group !== "") return undefined;
  const { subresource } = target;
  return subresource === "exec" || subresource === "attach" || subresource === "portforward"
    ? subresource
    : undefined;
}

function prepare(
  deps: PodUpgradeDeps,
  request: IncomingMessage,
): { readonly subresource: PodSubresource; readonly prepared: ReturnType<typeof openPodSession> } {
  const url = parseUrl(request);
  const subresource = subresourceOf(url);
  const target = parseTarget(url.pathname);
  if (subresource === undefined || target?.kind !== "resource") throw noSuchPath();
  const { namespace = "", name = "" } = target;
  // A WebSocket begins with a GET, but what it does is no reading.
  deps.permit(request, {
    kind: "resource",
    verb: "create",
    group: "",
    resource: "pods",
    subresource,
    namespace,
    name,
  });
  const pod = deps.findPod(namespace, name);
  if (pod === undefined) throw notFound({ group: "", resource: "pods", name });
  return {
    subresource,
    prepared: openPodSession(deps.access, deps.clock, subresource, pod, url.searchParams),
  };
}

function switchingToSpdy(protocol: string): string {
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    ...(protocol === "" ? [] : [`X-Stream-Protocol-Version: ${protocol}`]),
    "",
    "",
  ].join("\r\n");
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
