/** One HTTP exchange with the API server: connection pool, TLS, bounds, abort. Knows nothing of Kubernetes objects. */

import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { type Clock, MeshError } from "@meltemi/runtime";
import { type ClusterAccess, impersonationHeaders } from "./access.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer's head is here. */
  readonly timeoutMs: number;
}

export interface Transport {
  /** Resolves with the answer's head; its body must be read or destroyed. Rejects with UNAVAILABLE, TIMEOUT or ABORTED. */
  send(request: HttpRequest): Promise<IncomingMessage>;
  close(): void;
}

/** Connections kept for the next request; watches take more, and those end with their stream. */
const IDLE_CONNECTIONS = 8;
/** Shorter than the idle timeout of the API servers and load balancers in the field (60 s and more). */
const IDLE_CONNECTION_MS = 30_000;
/** Finds a peer that vanished without a reset. */
const TCP_KEEP_ALIVE_MS = 15_000;

export function createTransport(access: ClusterAccess, deps: { readonly clock: Clock }): Transport {
  const open = opener(access);
  const exchange = async (request: HttpRequest): Promise<IncomingMessage> => {
    const headers = await requestHeaders(access, request);
    const answer = await once(() => open.request(request, headers), request, deps.clock);
    if (answer.statusCode === 401) access.token?.refused();
    return answer;
  };
  return {
    async send(request) {
      const answer = await exchange(request);
      if (answer.statusCode !== 401 || access.token === undefined) return answer;
      // The token may have been rotated under us: once more with a fresh one.
      answer.destroy();
      return exchange(request);
    },
    close: () => open.agent.destroy(),
  };
}

type RequestHeaders = Record<string, string | string[]>;

interface Opener {
  readonly agent: HttpAgent;
  request(request: HttpRequest, headers: RequestHeaders): ClientRequest;
}

function opener(access: ClusterAccess): Opener {
  const { server } = access;
  const agentOptions = {
    keepAlive: true,
    maxFreeSockets: IDLE_CONNECTIONS,
    keepAliveMsecs: TCP_KEEP_ALIVE_MS,
    timeout: IDLE_CONNECTION_MS,
  };
  const prefix = server.pathname.replace(/\/$/, "");
  const host = server.hostname.replace(/^\[|\]$/g, "");
  const target = (request: HttpRequest, headers: RequestHeaders) => ({
    host,
    port: server.port === "" ? undefined : Number(server.port),
    method: request.method,
    path: prefix + request.path,
    headers,
    // The agent's idle timeout must not end a quiet watch.
    timeout: 0,
  });
  if (server.protocol === "http:") {
    if (!isLoopbackHost(host))
      throw new MeshError(
        "CONFIG_INVALID",
        `connect to API server ${server.href}: plain http is for loopback only`,
      );
    const agent = new HttpAgent(agentOptions);
    return { agent, request: (request, headers) => httpRequest({ ...target(request, headers), agent }) };
  }
  if (server.protocol !== "https:")
    throw new MeshError("CONFIG_INVALID", `connect to API server ${server.href}: expected https`);
  const agent = new HttpsAgent({ ...agentOptions, ...tlsOptions(access, host) });
  return { agent, request: (request, headers) => httpsRequest({ ...target(request, headers), agent }) };
}

/** What `node:tls` is to be told for this server. */
export function tlsOptions(access: ClusterAccess, host: string): Record<string, unknown> {
  const { certificateAuthority, clientCertificate, serverName } = access;
  return {
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    ...(clientCertificate === undefined
      ? {}
      : { cert: clientCertificate.certificate, key: clientCertificate.key }),
    ...(serverName === undefined
      ? isIP(host) === 0
        ? { servername: host }
        : {}
      : { servername: serverName }),
    rejectUnauthorized: access.insecureSkipTlsVerify !== true,
    minVersion: "TLSv1.2",
  };
}

export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

async function requestHeaders(access: ClusterAccess, request: HttpRequest): Promise<RequestHeaders> {
  const headers: RequestHeaders = {
    accept: request.accept ?? "application/json",
    "user-agent": "meltemi",
    ...impersonationHeaders(access),
  };
  if (access.token !== undefined) headers["authorization"] = `Bearer ${await access.token.token()}`;
  if (request.body !== undefined) {
    headers["content-type"] = request.contentType ?? "application/json";
    headers["content-length"] = String(Buffer.byteLength(request.body));
  }
  return headers;
}

/** Sends one request; a GET that met a kept connection which the server had just closed is sent again. */
async function once(open: () => ClientRequest, request: HttpRequest, clock: Clock): Promise<IncomingMessage> {
  for (;;) {
    const outgoing = open();
    try {
      return await answerHead(outgoing, request, clock);
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      if (request.method === "GET" && outgoing.reusedSocket && !request.signal?.aborted) continue;
      throw new MeshError("UNAVAILABLE", `${request.method} ${pathOnly(request.path)}: no answer`, { cause });
    }
  }
}

function answerHead(outgoing: ClientRequest, request: HttpRequest, clock: Clock): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { signal } = request;
    const what = `${request.method} ${pathOnly(request.path)}`;
    const fail = (error: Error): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      outgoing.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new MeshError("ABORTED", `${what}: aborted`, { cause: signal?.reason }));
    const timer = clock.after(request.timeoutMs, () =>
      fail(new MeshError("TIMEOUT", `${what}: no answer within ${request.timeoutMs} ms`)),
    );
    outgoing.on("error", fail);
    outgoing.once("response", (answer) => {
      timer.cancel();
      // From here the reader of the body owns the abort.
      signal?.removeEventListener("abort", onAbort);
      resolve(answer);
    });
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    outgoing.end(request.body);
  });
}

/** Queries may be long and hold selectors; the path is enough to know what was tried. */
export function pathOnly(path: string): string {
  const mark = path.indexOf("?");
  return mark < 0 ? path : path.slice(0, mark);
}
