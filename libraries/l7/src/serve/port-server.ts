/** Serves what clients open towards one port of a service: finds out what is spoken, and hands it to who speaks it. */

import {
  createHttp1Server,
  createHttp2Server,
  HTTP1_SERVER_DEFAULTS,
  HTTP2_SERVER_DEFAULTS,
  type ServerConnection,
  type ServerConnectionOwner,
  type SniffResult,
  sniffChannel,
} from "@meltemi/http";
import type { ByteChannel } from "@meltemi/l4";
import type { ServedProtocol } from "@meltemi/model/l7";
import { type Clock, delay } from "@meltemi/runtime";
import type { HttpProxy } from "../proxy/http-proxy.ts";
import type { HttpSite } from "../proxy/site.ts";
import type { TcpProxy } from "../tcp/tcp-proxy.ts";
import type { ClientConnectionFacts, TcpSite } from "../tcp/tcp-site.ts";

/** A port as it is now; every request and every connection asks once, and keeps what it got. */
export interface PortSite {
  readonly protocol: ServedProtocol;
  readonly http: HttpSite;
  readonly tcp: TcpSite;
}

export interface PortServerOptions {
  /** `meshConfig.protocolDetectionTimeout`; zero: wait for the client's first bytes as long as it takes. */
  readonly sniffTimeoutMs: number;
}

export interface PortServerDeps {
  readonly clock: Clock;
  readonly http: HttpProxy;
  readonly tcp: TcpProxy;
  readonly onInternalError: (error: unknown) => void;
  /** A request that was refused before it could be read as one. */
  readonly onRefused: (status: number, detail: string, connection: ClientConnectionFacts) => void;
}

export interface PortServer {
  /**
   * Takes over a channel that was not opened. `site` is asked for each request of the connection: configuration that changes
   * holds for the next one. Undefined: the port is served no more, and the connection ends.
   */
  serve(channel: ByteChannel, connection: ClientConnectionFacts, site: () => PortSite | undefined): void;
  readonly connections: number;
  /** Connections whose port is served no more take no further request, and end once the running ones have. */
  drainUnserved(): void;
  /** Policies may have changed: open TCP connections and upgraded requests that they forbid now are cut, soon. */
  rejudge(): void;
  /** No further requests; running ones end as they do, for `deadlineMs` at most. Returns how many were cut. */
  drain(deadlineMs: number): Promise<number>;
}

/**
 * How long an idle HTTP/1.1 connection may still ask while we drain, to hear in the answer that it ends. It covers whoever asks more
 * often than once in this time; the others are idle for long enough to look before they ask. Istio's `terminationDrainDuration`.
 */
const DRAIN_IDLE_MS = 5000;

export function createPortServer(options: PortServerOptions, deps: PortServerDeps): PortServer {
  return new Server(options, deps);
}

class Server implements PortServer {
  readonly #options: PortServerOptions;
  readonly #deps: PortServerDeps;
  readonly #http1: ReturnType<typeof createHttp1Server>;
  readonly #http2: ReturnType<typeof createHttp2Server>;
  readonly #open = new Set<HttpClient>();
  /** Of clients that have not said anything yet. */
  readonly #silent = new Set<ByteChannel>();
  #draining: AbortController | undefined;

  constructor(options: PortServerOptions, deps: PortServerDeps) {
    this.#options = options;
    this.#deps = deps;
    const { clock, onInternalError } = deps;
    this.#http1 = createHttp1Server(HTTP1_SERVER_DEFAULTS, { clock, onInternalError });
    this.#http2 = createHttp2Server(HTTP2_SERVER_DEFAULTS, { clock, onInternalError });
  }

  get connections(): number {
    return this.#open.size;
  }

  serve(channel: ByteChannel, facts: ClientConnectionFacts, site: () => PortSite | undefined): void {
    const now = this.#draining === undefined ? site() : undefined;
    if (now === undefined) {
      channel.abort("other-side-failed");
      return;
    }
    const isLooking = now.protocol !== "tcp" || now.tcp.routes.asksForServerName;
    if (!isLooking) {
      this.#deps.tcp.serve(channel, facts, now.tcp, () => site()?.tcp);
      return;
    }
    const { clock } = this.#deps;
    // What a port declares does not tell HTTP/1 from HTTP/2, nor the name in a TLS hello: both are read.
    const isHttp = now.protocol === "http";
    const timeoutMs = isHttp ? HTTP1_SERVER_DEFAULTS.headTimeoutMs : this.#options.sniffTimeoutMs;
    this.#silent.add(channel);
    sniffChannel(
      channel,
      {
        onSniffed: (result, sniffed) => {
          this.#silent.delete(channel);
          this.#serveSniffed(result, sniffed, facts, site);
        },
        onGone: () => void this.#silent.delete(channel),
      },
      { timeoutMs },
      { clock },
    );
  }

  #serveSniffed(
    result: SniffResult,
    channel: ByteChannel,
    facts: ClientConnectionFacts,
    site: () => PortSite | undefined,
  ): void {
    // The client may have kept silent for long: what holds is what is configured now.
    const now = site();
    if (now === undefined) {
      channel.abort("other-side-failed");
      return;
    }
    const { protocol } = now;
    const readsHttp = protocol === "http" || protocol === "sniff";
    if (readsHttp && result.kind === "http2") this.#serveHttp(channel, facts, site, "HTTP/2");
    // A port that is declared HTTP answers with 400 what is not.
    else if (protocol === "http" || (protocol === "sniff" && result.kind === "http1"))
      this.#serveHttp(channel, facts, site, "HTTP/1.1");
    else {
      const serverName = result.kind === "tls" ? result.serverName : undefined;
      this.#deps.tcp.serve(channel, { ...facts, serverName }, now.tcp, () => site()?.tcp);
    }
  }

  #serveHttp(
    channel: ByteChannel,
    facts: ClientConnectionFacts,
    site: () => PortSite | undefined,
    version: "HTTP/1.1" | "HTTP/2",
  ): void {
    const client = new HttpClient(facts, site, this.#deps, () => this.#closed(client));
    this.#open.add(client);
    client.connection =
      version === "HTTP/2" ? this.#http2.accept(channel, client) : this.#http1.accept(channel, client);
    if (this.#draining !== undefined) client.connection.drain(DRAIN_IDLE_MS);
  }

  #closed(client: HttpClient): void {
    this.#open.delete(client);
    if (this.#open.size === 0) this.#draining?.abort();
  }

  drainUnserved(): void {
    for (const client of this.#open) if (!client.isServed) client.connection?.drain();
  }

  rejudge(): void {
    this.#deps.tcp.rejudge();
    this.#deps.http.rejudge();
  }

  async drain(deadlineMs: number): Promise<number> {
    this.#draining ??= new AbortController();
    // As an idle connection that is kept open: nothing of a request has come.
    for (const channel of this.#silent) channel.abort("drain");
    this.#silent.clear();
    const idleMs = Math.min(DRAIN_IDLE_MS, deadlineMs / 2);
    for (const client of this.#open) client.connection?.drain(idleMs);
    if (this.#open.size > 0)
      await delay(this.#deps.clock, deadlineMs, this.#draining.signal).catch(() => undefined);
    let cut = 0;
    for (const client of this.#open) {
      cut += client.connection?.active ?? 0;
      client.connection?.close();
    }
    return cut;
  }
}

/** One client that speaks HTTP. */
class HttpClient implements ServerConnectionOwner {
  readonly #facts: ClientConnectionFacts;
  readonly #site: () => PortSite | undefined;
  readonly #current: () => HttpSite | undefined;
  readonly #deps: PortServerDeps;
  readonly #onClosed: () => void;
  connection: ServerConnection | undefined;

  constructor(
    facts: ClientConnectionFacts,
    site: () => PortSite | undefined,
    deps: PortServerDeps,
    onClosed: () => void,
  ) {
    this.#facts = facts;
    this.#site = site;
    this.#current = () => site()?.http;
    this.#deps = deps;
    this.#onClosed = onClosed;
  }

  get isServed(): boolean {
    return this.#site() !== undefined;
  }

  onExchange(exchange: Parameters<ServerConnectionOwner["onExchange"]>[0]): void {
    const site = this.#site();
    if (site === undefined) exchange.abort("refused");
    else this.#deps.http.serve(exchange, this.#facts, site.http, this.#current);
  }

  onRefused(status: number, detail: string): void {
    this.#deps.onRefused(status, detail, this.#facts);
  }

  onClosed(): void {
    this.#onClosed();
  }
}
