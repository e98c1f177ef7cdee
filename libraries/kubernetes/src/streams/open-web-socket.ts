/** A WebSocket to the API server, with the credentials of every other call. */

import type { IncomingMessage } from "node:http";
import { MeshError } from "@meltemi/runtime";
import { WebSocket } from "ws";
import { type ClusterAccess, impersonationHeaders } from "../access.ts";
import { parseStatus, statusError } from "../status-error.ts";
import { isLoopbackHost, tlsOptions } from "../transport.ts";

const HANDSHAKE_TIMEOUT_MS = 15_000;
/** Kubelets send at most 32 KiB at once. */
const MESSAGE_LIMIT_BYTES = 1024 * 1024;
/** A refusal is a Status of a few hundred bytes. */
const REFUSAL_LIMIT_BYTES = 64 * 1024;

/** `action` is for messages: `exec in pod a/b`. Rejects with the server's refusal as a status error, or with UNAVAILABLE. */
export async function openWebSocket(
  access: ClusterAccess,
  action: string,
  path: string,
  protocols: readonly string[],
): Promise<WebSocket> {
  const { server } = access;
  const host = server.hostname.replace(/^\[|\]$/g, "");
  if (server.protocol !== "https:" && !isLoopbackHost(host))
    throw new MeshError("CONFIG_INVALID", `${action}: plain http is for loopback only, got ${server.href}`);
  const url = new URL(server.href.replace(/^http/, "ws").replace(/\/$/, "") + path);
  const socket = new WebSocket(url, [...protocols], {
    headers: {
      "user-agent": "meltemi",
      ...impersonationHeaders(access),
      ...(access.token !== undefined && { authorization: `Bearer ${await access.token.token()}` }),
    },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MESSAGE_LIMIT_BYTES,
    perMessageDeflate: false,
    ...(server.protocol === "https:" && tlsOptions(access, host)),
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => {
      // What the server sends at once must not be lost before somebody listens.
      socket.pause();
      socket.removeAllListeners("error");
      socket.removeAllListeners("unexpected-response");
      resolve(socket);
    });
    socket.once("error", (cause) => reject(new MeshError("UNAVAILABLE", `${action}: no answer`, { cause })));
    socket.once("unexpected-response", (_request, answer: IncomingMessage) => {
      readRefusal(answer).then((body) => {
        const status = answer.statusCode ?? 0;
        reject(statusError(action, { ...parseStatus(status, body), code: status }));
        // It never was open: this only frees its socket.
        socket.on("error", () => undefined).terminate();
      }, reject);
    });
  });
}

async function readRefusal(answer: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      if (bytes > REFUSAL_LIMIT_BYTES) break;
      chunks.push(chunk as Buffer);
    }
  } catch {
    // What came of the refusal until the connection broke is said; its status is known.
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
