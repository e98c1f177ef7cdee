/** Carries one connection's bytes to an endpoint of its cluster, and tells what came of it. */

import type { AbortReason, ByteChannel, RelayEnd, RelaySession, Relays } from "@meltemi/l4";
import { type Clock, detach } from "@meltemi/runtime";
import type { Caller, RequestContext } from "../request-context.ts";
import { type OpenTunnel, OpenTunnels } from "../serve/open-tunnels.ts";
import type { TcpUpstream, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { ConnectionBounds } from "./connection-bounds.ts";
import { connectionContext } from "./connection-context.ts";
import { decideTcpRoute } from "./tcp-routes.ts";
import type { ClientConnectionFacts, ConnectionDenial, TcpRecord, TcpSite } from "./tcp-site.ts";

export interface TcpProxyDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly relays: Relays;
  readonly onInternalError: (error: unknown) => void;
}

export interface TcpProxy {
  /** Takes over a channel that was not opened. `current`: the site as it is later; undefined when the port is served no more. */
  serve(
    channel: ByteChannel,
    connection: ClientConnectionFacts,
    site: TcpSite,
    current: () => TcpSite | undefined,
  ): void;
  /** Policies may have changed: connections that they forbid now are cut, soon. */
  rejudge(): void;
}

/** Endpoints that are tried while none answers: no byte was sent yet, so that nothing can happen twice. */
const MAX_CONNECT_ATTEMPTS = 3;

export function createTcpProxy(deps: TcpProxyDeps): TcpProxy {
  const tunnels = new OpenTunnels(deps);
  return {
    serve(channel, connection, site, current) {
      const client = { channel, connection, site, current };
      detach(
        () => serve(client, tunnels, deps),
        (error) => {
          channel.abort("other-side-failed");
          deps.onInternalError(error);
        },
      );
    },
    rejudge: () => tunnels.rejudge(),
  };
}

interface Client {
  readonly channel: ByteChannel;
  readonly connection: ClientConnectionFacts;
  /** As the connection found it, and as it is. */
  readonly site: TcpSite;
  readonly current: () => TcpSite | undefined;
}

type Connected =
  | { readonly kind: "open"; readonly channel: ByteChannel; readonly endpoint: UpstreamEndpoint }
  | { readonly kind: "failed"; readonly flag: "UH" | "UF" | "UO"; readonly detail: string };

async function serve(client: Client, tunnels: OpenTunnels, deps: TcpProxyDeps): Promise<void> {
  const { channel, connection, site } = client;
  const { clock } = deps;
  const story = new Story(connection, site, clock);
  const end = (reason: AbortReason, ending: Ending): void => {
    channel.abort(reason);
    site.observer.onComplete(story.record(ending));
  };
  const deny = (denial: ConnectionDenial): void => end("policy", denial);
  const refuse = (flag: string, details: string, upstreamFailure = ""): void =>
    end("other-side-failed", { flag, details, upstreamFailure });
  const judged = site.authorize(connection);
  const denied = judged instanceof Promise ? await judged : judged;
  if (denied !== undefined) return deny(denied);
  const cluster = chooseCluster(connection, site, deps.random);
  if (typeof cluster === "string") return refuse("NR", cluster);
  story.cluster = cluster;
  if (!cluster.limits.takeConnection(false)) return refuse("UO", "upstream_connection_overflow");
  try {
    const connected = await connect(cluster, connectionContext(connection), clock);
    if (connected.kind === "failed")
      return refuse(connected.flag, "upstream_connect_failure", connected.detail);
    story.endpoint = connected.endpoint;
    await carry(client, connected, cluster, story, tunnels, deps);
  } finally {
    cluster.limits.releaseConnection();
  }
}

async function carry(
  client: Client,
  { endpoint, channel: upstream }: Extract<Connected, { kind: "open" }>,
  cluster: TcpUpstream,
  story: Story,
  tunnels: OpenTunnels,
  { relays, clock }: TcpProxyDeps,
): Promise<void> {
  const { observer } = client.site;
  endpoint.active++;
  const session = relays.start(client.channel, upstream);
  const tunnel = new RelayedTunnel(client, session);
  try {
    using _bounds = new ConnectionBounds(session, cluster.config.connectionPool, clock);
    // Relays count from the client's side: what the client sent is what came in here.
    const live = {
      get receivedBytes() {
        return session.sentBytes;
      },
      get sentBytes() {
        return session.receivedBytes;
      },
    };
    tunnels.add(tunnel);
    // Configuration that came while the endpoint was looked for.
    if (client.current() !== client.site) tunnels.rejudge();
    observer.onOpened(story.record({ flag: "", details: "", upstreamFailure: "" }), live);
    const { end, sentBytes, receivedBytes } = await session.finished;
    observer.onComplete(
      story.record(tunnel.ending ?? endingOf(end), { receivedBytes: sentBytes, sentBytes: receivedBytes }),
    );
  } finally {
    tunnels.delete(tunnel);
    // Over already, unless something threw.
    session.abort("other-side-failed");
    endpoint.active--;
  }
}

class RelayedTunnel implements OpenTunnel {
  readonly #client: Client;
  readonly #session: RelaySession;
  #judgedBy: TcpSite;
  /** Set once policy has cut it. */
  ending: Ending | undefined;

  constructor(client: Client, session: RelaySession) {
    this.#client = client;
    this.#session = session;
    this.#judgedBy = client.site;
  }

  denial(): string | undefined {
    const site = this.#client.current();
    // A port that is served no more has no policies; who is open goes on, as where a pod is taken out of the mesh.
    if (site === undefined || site === this.#judgedBy) return undefined;
    this.#judgedBy = site;
    return site.rejudge?.(this.#client.connection);
  }

  cut(details: string): void {
    this.ending = { flag: "", details, upstreamFailure: "" };
    this.#session.abort("policy");
  }
}

/** A text says why there is none. */
function chooseCluster(
  { caller, destination, serverName }: ClientConnectionFacts,
  site: TcpSite,
  random: () => number,
): TcpUpstream | string {
  const decision = decideTcpRoute(site.routes, { caller, destinationIp: destination.ip, serverName }, random);
  switch (decision.kind) {
    case "default":
      return site.defaultCluster;
    case "refuse":
      return decision.detail;
    case "cluster":
      return site.cluster(decision.cluster) ?? "cluster_not_found";
  }
}

async function connect(cluster: TcpUpstream, context: RequestContext, clock: Clock): Promise<Connected> {
  const tried: string[] = [];
  let detail = "";
  while (tried.length < MAX_CONNECT_ATTEMPTS) {
    const choice = cluster.choose(context, tried, false);
    if (choice.kind === "none") return { kind: "failed", flag: "UH", detail: "no healthy upstream" };
    const { endpoint } = choice;
    if (tried.includes(endpoint.uid)) break;
    const outcome = await dial(cluster, endpoint, context.caller, clock);
    if (outcome.kind === "open") return { kind: "open", channel: outcome.channel, endpoint };
    cluster.report(endpoint, { kind: "localOrigin", cause: "connectFailed" });
    detail = outcome.detail;
    tried.push(endpoint.uid);
  }
  return { kind: "failed", flag: "UF", detail };
}

async function dial(
  cluster: TcpUpstream,
  endpoint: UpstreamEndpoint,
  client: Caller,
  clock: Clock,
): ReturnType<TcpUpstream["connectTcp"]> {
  const controller = new AbortController();
  const deadline = clock.after(cluster.config.connectionPool.connectTimeoutMs, () => controller.abort());
  try {
    return await cluster.connectTcp(endpoint, controller.signal, client);
  } finally {
    deadline.cancel();
  }
}

type Ending = { readonly flag: string; readonly details: string; readonly upstreamFailure: string };

function endingOf(end: RelayEnd): Ending {
  switch (end.kind) {
    case "closed":
      return { flag: "", details: "", upstreamFailure: "" };
    case "aborted":
      // Envoy's flag of a connection that reached its greatest age.
      return {
        flag: end.reason === "limit" ? "DT" : "",
        details: `connection_aborted{${end.reason}}`,
        upstreamFailure: "",
      };
    case "faulted": {
      const detail = end.fault.kind === "broken" ? end.fault.detail : "reset";
      return end.side === "upstream"
        ? { flag: "UC", details: "upstream_connection_termination", upstreamFailure: detail }
        : { flag: "DC", details: "downstream_remote_disconnect", upstreamFailure: "" };
    }
  }
}

/** What is known of one connection so far. */
class Story {
  readonly #connection: ClientConnectionFacts;
  readonly #site: TcpSite;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #startedMs: number;
  cluster: TcpUpstream | undefined;
  endpoint: UpstreamEndpoint | undefined;

  constructor(connection: ClientConnectionFacts, site: TcpSite, clock: Clock) {
    this.#connection = connection;
    this.#site = site;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#startedMs = clock.monotonicMs();
  }

  record(ending: Ending, bytes = { receivedBytes: 0, sentBytes: 0 }): TcpRecord {
    return {
      connection: this.#connection,
      service: this.#site.service,
      cluster: this.cluster?.config,
      endpoint: this.endpoint,
      startedAtMs: this.#startedAtMs,
      durationMs: this.#clock.monotonicMs() - this.#startedMs,
      ...bytes,
      responseFlags: ending.flag === "" ? [] : [ending.flag],
      details: ending.details,
      upstreamFailure: ending.upstreamFailure,
    };
  }
}
