/** Calls a webhook: one POST over TLS, bounded in time and bytes, on connections that are kept. */
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import { describeError } from "@meltemi/runtime";
import type { ObjectStore } from "../store/object-store.ts";
import { resolveEndpoint } from "./endpoint.ts";
import type { Webhook, WebhookAddress } from "./webhook.ts";

/** Opens a connection to an address of the cluster's network: a pod's. */
export type DialCluster = (host: string, port: number, signal: AbortSignal) => Promise<Socket>;

export type Called =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "failed"; readonly why: string };

export interface WebhookCaller {
  /** Never rejects. `timeoutMs` bounds everything, connecting included. */
  call(webhook: Webhook, body: string, timeoutMs: number): Promise<Called>;
  close(): void;
}

export interface WebhookCallerDeps {
  readonly store: Pick<ObjectStore, "get" | "list">;
  /** Absent where the process itself is in the cluster's network. */
  readonly dialCluster: DialCluster | undefined;
}

/** As large as the largest request: an answer holds at most a patch of the object. */
const MAX_ANSWER_BYTES = 3 * 1024 * 1024;
/** Connections to one webhook at the same time; more calls wait for one of them. */
const MAX_CONNECTIONS_EACH = 32;
/** The longest that any webhook may take: a dial that nobody waits for any more ends by then. */
const MAX_DIAL_MS = 30_000;
/** Over all webhooks. */
const MAX_CONNECTIONS = 256;
/** Kept idle, each. */
const MAX_IDLE_EACH = 4;
/** Shorter than servers keep them, so that a call seldom meets a connection that is being closed. */
const IDLE_MS = 15_000;

export function createWebhookCaller(deps: WebhookCallerDeps): WebhookCaller {
  const { dialCluster } = deps;
  const outside = createAgent(dialPlainly);
  const inside =
    dialCluster === undefined
      ? outside
      : createAgent((host, port) => dialCluster(host, port, AbortSignal.timeout(MAX_DIAL_MS)));
  let turn = 0;
  return {
    async call(webhook, body, timeoutMs) {
      const target = targetOf(deps.store, webhook.address, turn++);
      if (target.kind === "none") return failed(webhook, timeoutMs, target.why);
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const agent = target.inCluster ? inside : outside;
        return await post(agent, { webhook, target, body, timeoutMs, signal }, true);
      } catch (error) {
        return failed(
          webhook,
          timeoutMs,
          signal.aborted ? "context deadline exceeded" : describeError(error),
        );
      }
    },
    close() {
      inside.destroy();
      outside.destroy();
    },
  };
}

interface Target {
  readonly kind: "target";
  readonly host: string;
  readonly port: number;
  /** Name in the certificate, and `Host`. */
  readonly serverName: string;
  readonly path: string;
  readonly inCluster: boolean;
}

function targetOf(
  store: WebhookCallerDeps["store"],
  address: WebhookAddress,
  turn: number,
): Target | { readonly kind: "none"; readonly why: string } {
  if (address.kind === "url") {
    const url = new URL(address.url);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    return {
      kind: "target",
      host,
      port: Number(url.port || 443),
      serverName: host,
      path: url.pathname,
      inCluster: false,
    };
  }
  const resolved = resolveEndpoint(store, address, turn);
  if (resolved.kind === "none") return resolved;
  const serverName = `${address.name}.${address.namespace}.svc`;
  // A name (of an ExternalName Service) is looked up and dialed from where this process is.
  const inCluster = isIP(resolved.host) !== 0;
  return { ...resolved, kind: "target", serverName, path: address.path, inCluster };
}

interface Call {
  readonly webhook: Webhook;
  readonly target: Target;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws whatever the network or TLS says; a kept connection that turns out to be closed is tried once more */
async function post(agent: Agent, call: Call, mayRetry: boolean): Promise<Called> {
  const { webhook, target, body, timeoutMs, signal } = call;
  const sent = httpsRequest({
    agent,
    host: target.host,
    port: target.port,
    path: `${target.path}?${timeoutQuery(timeoutMs)}`,
    method: "POST",
    headers: {
      host: `${target.serverName}:${target.port}`,
      "content-type": "application/json",
      accept: "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "user-agent": "kube-apiserver-admission",
    },
    // An address has no name to show (RFC 6066 §3).
    ...(isIP(target.serverName) === 0 ? { servername: target.serverName } : {}),
    ...(webhook.authoritiesPem === undefined ? {} : { ca: webhook.authoritiesPem }),
    signal,
  });
  try {
    return await exchange(sent, call);
  } catch (error) {
    const stale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
    if (!stale || !mayRetry || signal.aborted) throw error;
    return post(agent, call, false);
  }
}

async function exchange(sent: ClientRequest, { webhook, body, timeoutMs }: Call): Promise<Called> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.on("error", reject);
    sent.end(body);
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      sent.destroy();
      return failed(webhook, timeoutMs, `the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const status = response.statusCode ?? 0;
  return status === 200 ? { kind: "answered", text } : failed(webhook, timeoutMs, statusText(status, text));
}

function statusText(status: number, text: string): string {
  if (status === 404) return "the server could not find the requested resource";
  const excerpt = JSON.stringify(text.slice(0, 200).trim());
  if (status >= 500) return `an error on the server (${excerpt}) has prevented the request from succeeding`;
  return `the server answered with the status ${status} (${excerpt}), expected 200`;
}

function failed({ address }: Webhook, timeoutMs: number, why: string): Called {
  const url =
    address.kind === "url"
      ? address.url
      : `https://${address.name}.${address.namespace}.svc:${address.port}${address.path}`;
  const post = `Post ${JSON.stringify(`${url}?${timeoutQuery(timeoutMs)}`)}`;
  return { kind: "failed", why: `failed to call webhook: ${post}: ${why}` };
}

function timeoutQuery(timeoutMs: number): string {
  return `timeout=${Math.ceil(timeoutMs / 1000)}s`;
}

type Dial = (host: string, port: number) => Promise<Socket>;

type AgentConnect = (
  options: ConnectionOptions,
  done: (error: Error | null, socket?: Duplex) => void,
) => undefined;

/** Dials, then speaks TLS. */
function createAgent(dial: Dial): Agent {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_CONNECTIONS_EACH,
    maxTotalSockets: MAX_CONNECTIONS,
    maxFreeSockets: MAX_IDLE_EACH,
    timeout: IDLE_MS,
  });
  const open: AgentConnect = (options, done) => {
    const { host = "", port = 443 } = options;
    dial(host, port).then(
      (socket) => done(null, tlsConnect({ ...options, socket })),
      (error: unknown) => done(error instanceof Error ? error : new Error(describeError(error))),
    );
  };
  return Object.assign(agent, { createConnection: open });
}

function dialPlainly(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port });
  return Promise.resolve(socket);
}
