/** Carries one connection's bytes to an endpoint of its cluster, and tells what came of it. */

import type { AbortReason, ByteChannel, RelayEnd, Relays } from "@meltemi/l4";
import { type Clock, detach } from "@meltemi/runtime";
import type { Caller, RequestContext } from "../request-context.ts";
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
  /** Takes over a channel that was not opened. */
  serve(channel: ByteChannel, connection: ClientConnectionFacts, site: TcpSite): void;
}

/** Endpoints that are tried while none answers: no byte was sent yet, so that nothing can happen twice. */
const MAX_CONNECT_ATTEMPTS = 3;

export function createTcpProxy(deps: TcpProxyDeps): TcpProxy {
  return {
    serve(channel, connection, site) {
      detach(
        () => serve(channel, connection, site, deps),
        (error) => {
          channel.abort("other-side-failed");
          deps.onInternalError(error);
        },
      );
    },
  };
}

type Connected =
  | { readonly kind: "open"; readonly channel: ByteChannel; readonly endpoint: UpstreamEndpoint }
  | { readonly kind: "failed"; readonly flag: "UH" | "UF" | "UO"; readonly detail: string };

async function serve(
  channel: ByteChannel,
  connection: ClientConnectionFacts,
  site: TcpSite,
  deps: TcpProxyDeps,
): Promise<void> {
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
    await carry(channel, connected, cluster, site.observer, story, deps);
  } finally {
    cluster.limits.releaseConnection();
  }
}

async function carry(
  channel: ByteChannel,
  { endpoint, channel: upstream }: Extract<Connected, { kind: "open" }>,
  cluster: TcpUpstream,
  observer: TcpSite["observer"],
  story: Story,
  { relays, clock }: TcpProxyDeps,
): Promise<void> {
  endpoint.active++;
  const session = relays.start(channel, upstream);
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
    observer.onOpened(story.record({ flag: "", details: "", upstreamFailure: "" }), live);
    const { end, sentBytes, receivedBytes } = await session.finished;
    observer.onComplete(story.record(endingOf(end), { receivedBytes: sentBytes, sentBytes: receivedBytes }));
  } finally {
    // Over already, unless something threw.
    session.abort("other-side-failed");
    endpoint.active--;
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
